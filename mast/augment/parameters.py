"""Where the parameters of each augmentation come from: draws on the CPU, strengths, and the values of the identity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Parameters(Protocol):
    """The parameters of one augmentation, one column each."""

    identity: tuple[float, ...] | Tensor
    """Values with which the augmentation does nothing: the same for all images, or a row for each."""

    def draw(self, count: int, generator: Generator) -> Tensor:
        """Random values, float32 [count, len(identity)]."""

    def at(self, level: float, count: int, generator: Generator) -> Tensor:
        """Values of strength `level`, float32 [count, len(identity)]; what the strength leaves open is random."""

    def strength(self, values: Tensor) -> Tensor:
        """Strength of rows of values, float32 [N] in [0, 1]: 0 for the identity, 1 for the strongest allowed."""

    def describe(self, values: Tensor) -> Tensor:
        """Rows of values as numbers without a unit, float32 [N, Q]: what networks are told of them, or predict."""


@dataclass(frozen=True)
class Switch:
    """An augmentation that is on or off: it has no values, and any strength above 0 is 1."""

    identity: tuple[float, ...] = ()

    def draw(self, count: int, generator: Generator) -> Tensor:
        """See Parameters."""
        import torch

        return torch.empty(count, 0)

    def at(self, level: float, count: int, generator: Generator) -> Tensor:
        """See Parameters."""
        return self.draw(count, generator)

    def strength(self, values: Tensor) -> Tensor:
        """See Parameters."""
        return values.new_ones(len(values))

    def describe(self, values: Tensor) -> Tensor:
        """See Parameters; nothing."""
        return values


@dataclass(frozen=True)
class Uniform:
    """Independent values, uniform between `low` and `high`.

    A value's strength is its distance from the identity, as a share of the largest that the range allows on that side;
    the strength of several is their mean.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    identity: tuple[float, ...]

    @classmethod
    def of_one(cls, bounds: tuple[float, float], identity: float) -> Self:
        """A single value."""
        return cls((bounds[0],), (bounds[1],), (identity,))

    def draw(self, count: int, generator: Generator) -> Tensor:
        """See Parameters."""
        low, high, _ = self._tensors
        return low + (high - low) * self._random(count, generator)

    def at(self, level: float, count: int, generator: Generator) -> Tensor:
        """See Parameters."""
        above, below, identity = self._reach()
        upwards = self._random(count, generator) < (above > 0).float() / (1 + (below > 0).float())
        return identity + level * above.where(upwards, -below)

    def strength(self, values: Tensor) -> Tensor:
        """See Parameters."""
        above, below, identity = self._reach()
        free = (above > 0) | (below > 0)
        offset = values - identity
        reach = above.where(offset > 0, below)
        share = (offset.abs() / reach.clamp(min=1e-12)).where(reach > 0, 0)
        return (share[:, free].sum(dim=1) / max(1, int(free.sum()))).clamp(0, 1)

    def describe(self, values: Tensor) -> Tensor:
        """Distances from the identity, each over its range with the identity in it; 0 where the range is one value."""
        above, below, identity = self._reach()
        span = above + below
        return ((values - identity) / span.clamp(min=1e-12)).where(span > 0, 0)

    def _reach(self) -> tuple[Tensor, Tensor, Tensor]:
        """The largest distances from the identity, above and below it, and the identity, [P] each."""
        low, high, identity = self._tensors
        return (high - identity).clamp(min=0), (identity - low).clamp(min=0), identity

    @cached_property
    def _tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Low, high and identity, [P] each."""
        import torch

        return torch.tensor(self.low), torch.tensor(self.high), torch.tensor(self.identity)

    def _random(self, count: int, generator: Generator) -> Tensor:
        import torch

        return torch.rand(count, len(self.low), generator=generator)


@dataclass(frozen=True)
class UniformInteger(Uniform):
    """Integers between `low` and `high`, both included."""

    def draw(self, count: int, generator: Generator) -> Tensor:
        """See Parameters."""
        low, high, _ = self._tensors
        return low + ((high - low + 1) * self._random(count, generator)).floor()

    def at(self, level: float, count: int, generator: Generator) -> Tensor:
        """See Parameters; the nearest integers."""
        return super().at(level, count, generator).round()
