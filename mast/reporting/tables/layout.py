"""A paper-style table before it is formatted: headings, cells, notes."""

from dataclasses import dataclass, field

from mast.reporting.statistics import Estimate

ABSENT = "–"
NOT_AVAILABLE = "n/a"


@dataclass(frozen=True)
class Cell:
    """One cell: plain text, not yet escaped for any format."""

    text: str
    bold: bool = False


@dataclass(frozen=True)
class Row:
    """One line of the body; `published` marks the line of published values under a run."""

    cells: tuple[Cell, ...]
    published: bool = False


@dataclass(frozen=True)
class Layout:
    """A whole table. The first `text_columns` columns are left-aligned text, the others results."""

    name: str
    title: str
    caption: str
    groups: tuple[tuple[str, int], ...]
    """Headings above the columns: (text, number of columns spanned); empty text for no heading."""
    columns: tuple[str, ...]
    text_columns: int
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())


def shown(estimate: Estimate) -> str:
    """Return `71.4 ± 1.2`, `71.4` if there is no interval, `–` if there is no value; below zero `−0.4`."""
    if estimate.n == 0:
        return ABSENT
    interval = f" ± {estimate.interval:.1f}" if estimate.n > 1 else ""
    return f"{estimate.mean:.1f}{interval}".replace("-", "−")


def shown_published(value: float | None, difference: float | None) -> str:
    """Return `73.2 (−0.4)`: the published value and, in brackets, ours minus it; `n/a` if it is not available."""
    if value is None:
        return NOT_AVAILABLE
    digits = f"{value:.1f}" if value == round(value, 1) else f"{value:.6g}"
    return digits if difference is None else f"{digits} ({difference:+.1f})".replace("-", "−")


def setting_titles(keys: tuple[str, ...]) -> list[str]:
    """Return short column titles of dotted keys: the shortest distinct ends, without a final `kind` or `name`.

    `policy.augmentations` → `augmentations`; `mast.masks.kind`, `mast.uncertainty.kind` → `masks`, `uncertainty`.
    """
    every = [_meaningful(key) for key in keys]
    return [" ".join(_distinct_ending(own, every)).replace("_", " ") for own in every]


def _distinct_ending(own: list[str], every: list[list[str]]) -> list[str]:
    for length in range(1, len(own)):
        if sum(parts[-length:] == own[-length:] for parts in every) == 1:
            return own[-length:]
    return own


def _meaningful(key: str) -> list[str]:
    parts = key.split(".")
    return parts[:-1] if len(parts) > 1 and parts[-1] in ("kind", "name") else parts
