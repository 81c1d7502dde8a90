"""Result of a benchmark: rows of numbers, and ratios with a target."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    case: str
    who: str
    value: float
    unit: str


@dataclass(frozen=True)
class Target:
    name: str
    measured: float
    bound: float
    at_least: bool = True
    """Whether `bound` is a lower bound of `measured`; otherwise it is an upper bound."""
    unit: str = "×"

    @property
    def met(self) -> bool:
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound


@dataclass
class Section:
    name: str
    about: str
    rows: list[Row] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def add(self, case: str, who: str, value: float, unit: str) -> None:
        self.rows.append(Row(case, who, value, unit))
