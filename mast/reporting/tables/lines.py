"""Columns of the tables' CSV files, shared by the code that writes and reads them."""

from typing import NamedTuple, get_type_hints


class TableLine(NamedTuple):
    """A line of a study's table as CSV, `<study>.csv`. The study's `settings` come before `mean`."""

    table: str
    protocol: str
    kind: str
    task: str
    target: str
    metric: str
    run: str
    label: str
    method: str
    encoder: str
    dataset: str
    mean: float
    interval: float
    n: int
    seeds: str
    published: float | None
    difference: float | None
    source: str | None
    note: str | None


class ComparisonLine(NamedTuple):
    """A line of a study's table of differences as CSV, `<study>_comparison.csv`."""

    table: str
    protocol: str
    kind: str
    task: str
    target: str
    metric: str
    baseline: str
    run: str
    baseline_label: str
    label: str
    baseline_mean: float
    run_mean: float
    difference: float
    low: float
    high: float
    bootstrap_low: float
    bootstrap_high: float
    p: float
    p_holm: float
    n: int
    seeds: str


NUMBERS = frozenset(
    name
    for line in (TableLine, ComparisonLine)
    for name, kind in get_type_hints(line).items()
    if kind in (int, float, float | None)
)
"""Columns of both that contain numbers; all others, including a study's `settings`, contain text."""
