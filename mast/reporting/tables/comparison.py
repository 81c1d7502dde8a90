"""One table of differences to a baseline, paired over seeds, from metrics files."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mast.config.tables import ALL_TASKS, ComparisonSpec
from mast.reporting.paired import RESAMPLES, Difference, holm, is_clear, paired_difference, signed
from mast.reporting.statistics import estimate
from mast.reporting.tables.collect import code_note, collect, corrected, require_fit
from mast.reporting.tables.columns import all_columns, headline, row_titles, visible_columns
from mast.reporting.tables.layout import ABSENT, Cell, Layout, Row, shown
from mast.reporting.tables.lines import ComparisonLine
from mast.reporting.tables.outputs import write_outputs
from mast.reporting.tables.summaries import (
    CORRECTED_NOTE,
    RANK,
    Column,
    Scores,
    has_corrected,
    per_seed,
    summed_up,
)

if TYPE_CHECKING:
    from mast.reporting.current import Planned

SMALLEST_P = 0.001
"""Smallest p value that is written out."""

Differences = dict[tuple[Column, str], Difference]
"""Column and run → that run minus the baseline."""

Adjusted = dict[tuple[Column, str], float]
"""Column and run → p value of the difference, adjusted for those that are read together with it."""


def write_comparison(
    spec: ComparisonSpec, metrics: Iterable[Path], output_stem: Path, planned: "Planned | None" = None
) -> None:
    """Write the files of `write_outputs`: each run minus the baseline, per task and over tasks.

    Raises:
        MastError: see `collect`, `require_fit` and, if `planned` is given, `Planned.require`.
    """
    metrics = list(metrics)
    frame = collect(metrics)
    require_fit(frame, spec)
    if planned is not None:
        planned.require(frame)
    scores = all_scores(frame, spec)
    differences = _differences(spec, scores)
    p_values = adjusted(differences)
    notes = [*lowest_note(frame, spec), *code_note(frame)]
    layout = _layout(spec, scores, differences, p_values, notes)
    write_outputs(output_stem, _csv(spec, scores, differences, p_values), layout, metrics)


def all_scores(frame: pd.DataFrame, spec: ComparisonSpec) -> Scores:
    """Return the first shown metric of each task and target, and the summaries of several of them (`summed_up`).

    A protocol that is not averaged has no summaries: AP of boxes and AP of masks are two measures of one task.
    """
    runs, columns = [row.run for row in spec.rows], shown_columns(frame, spec)
    scores = {column: per_seed(frame, column, runs) for column in columns}
    return scores | summed_up(frame, columns, runs, ranked=runs) if len(columns) > 1 and spec.averaged else scores


def shown_columns(frame: pd.DataFrame, spec: ComparisonSpec) -> list[Column]:
    """Return the first shown metric of each task and target."""
    return headline(visible_columns(all_columns(frame, spec), spec))


def adjusted(differences: Differences) -> Adjusted:
    """Return Holm's p values: of each run over its tasks, and separately over the rows that summarise them."""
    families: dict[tuple[str, bool], list[tuple[Column, str]]] = {}
    for column, run in differences:
        families.setdefault((run, column[0] == ALL_TASKS), []).append((column, run))
    return {
        key: value
        for family in families.values()
        for key, value in zip(family, holm([differences[key].p for key in family]), strict=True)
    }


def lowest_note(frame: pd.DataFrame, spec: ComparisonSpec) -> list[str]:
    """Return one line that names each run's task with the lowest mean over seeds, corrected for chance; none without
    it.
    """
    columns = shown_columns(frame, spec)
    above = corrected(frame, columns) if spec.averaged and len(columns) > 1 else None
    if above is None:
        return []
    runs, titles = [row.run for row in spec.rows], row_titles(columns)
    means = pd.DataFrame({titles[column]: per_seed(above, column, runs).mean() for column in columns})
    lowest = [f"{row.label} {means.loc[row.run].idxmin()}" for row in spec.rows if means.loc[row.run].notna().any()]
    return [f"Lowest mean of a task, corrected for chance: {', '.join(lowest)}."]


def _differences(spec: ComparisonSpec, scores: Scores) -> Differences:
    baseline, *others = spec.rows
    return {
        (column, row.run): paired_difference(values[baseline.run], values[row.run])
        for column, values in scores.items()
        for row in others
    }


def _layout(
    spec: ComparisonSpec, scores: Scores, differences: Differences, p_values: Adjusted, more_notes: list[str]
) -> Layout:
    """Return the layout: one line per task; several compared runs have a line each, so that the table stays narrow."""
    baseline, *others = spec.rows
    counts = sorted({difference.n for difference in differences.values()})
    names_runs, has_intervals = len(others) > 1, counts[-1] > 1
    titles = row_titles(list(scores))
    rows = []
    for (column, run), difference in differences.items():
        cells = [Cell(titles[column])]
        cells += [Cell(row.label) for row in others if row.run == run and names_runs]
        cells += [Cell(shown(estimate(scores[column][each]))) for each in (baseline.run, run)]
        cells.append(Cell(shown_difference(difference), is_clear(difference.low, difference.high)))
        cells += [Cell(shown_bootstrap(difference)), Cell(shown_p(p_values[column, run]))] if has_intervals else []
        rows.append(Row(tuple(cells)))
    one = (baseline.label, others[0].label, f"{others[0].label} − {baseline.label}")
    several = ("run", baseline.label, "score", "difference")
    columns = ("task", *(several if names_runs else one), *(("bootstrap", "p (Holm)") if has_intervals else ()))
    return Layout(
        name=f"{spec.name}_comparison",
        title=f"{spec.title}: differences to {baseline.label}",
        caption=spec.caption,
        groups=(("", len(columns)),),
        columns=columns,
        text_columns=2 if names_runs else 1,
        rows=tuple(rows),
        notes=(*_notes(spec, scores, counts), *more_notes),
    )


def shown_difference(difference: Difference) -> str:
    """Return `+1.2 [+0.3, +2.0]`; without the interval if there is none; `–` if no seed is paired."""
    if difference.n == 0:
        return ABSENT
    numbers = [signed(value) for value in (difference.mean, difference.low, difference.high)]
    return numbers[0] if difference.n == 1 else f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"


def shown_bootstrap(difference: Difference) -> str:
    """Return `[+0.5, +1.8]`, or `–` if there is no interval."""
    if difference.n < 2:
        return ABSENT
    return f"[{signed(difference.bootstrap_low)}, {signed(difference.bootstrap_high)}]"


def shown_p(p: float) -> str:
    """Return `0.012`, `<0.001`, or `–` if there is none."""
    if np.isnan(p):
        return ABSENT
    return f"{p:.3f}" if p >= SMALLEST_P else f"<{SMALLEST_P}"


def _notes(spec: ComparisonSpec, scores: Scores, counts: list[int]) -> list[str]:
    seeds = "–".join(str(count) for count in (counts[0], counts[-1])[: len(counts)])
    notes = [
        f"{spec.unit}, percent; each run's mean ± half width of the 95 % interval over its seeds (Student t, none for "
        f"one seed). Differences are means over the seeds that both runs have (n = {seeds})."
    ]
    if counts[-1] > 1:
        notes.append(
            "In brackets the 95 % interval of the difference (paired Student t over seeds); bold where it has a width "
            "and leaves out zero. Each holds for itself: where nothing differs, one in twenty still leaves out zero."
        )
        notes.append(
            f"Bootstrap: the 95 % interval from {RESAMPLES:,} draws of the seeds (percentiles); it assumes no normal "
            "distribution, and is too narrow for few seeds: of 5 it holds the true difference 84 times in 100."
        )
        notes.append(
            "p: of the paired t test, adjusted by Holm's method over the tasks of a run, and apart from them over the "
            "lines that sum them up: to take all that are below 0.05 for differences is wrong in any of them with a "
            "probability of 0.05 at most. None where all seeds differ by the same."
        )
    if counts[0] == 1:
        notes.append("No interval of a difference with one seed: such a difference may well be chance.")
    if RANK in scores:
        notes.append(
            "Worst task: the lowest score of each seed. Mean rank: over tasks, among the runs of this table; 1 is "
            "best, so a negative difference is better."
        )
    if has_corrected(scores):
        notes.append(f"{CORRECTED_NOTE} Ranks within a task are the same either way.")
    return notes


def _csv(spec: ComparisonSpec, scores: Scores, differences: Differences, p_values: Adjusted) -> str:
    lines = [
        _line(spec, column, run, scores[column], found, p_values[column, run])
        for (column, run), found in differences.items()
    ]
    return pd.DataFrame(lines).to_csv(index=False, lineterminator="\n")


def _line(
    spec: ComparisonSpec, column: Column, run: str, values: pd.DataFrame, difference: Difference, p_holm: float
) -> ComparisonLine:
    labels = {row.run: row.label for row in spec.rows}
    baseline = spec.rows[0].run
    return ComparisonLine(
        f"{spec.name}_comparison",
        spec.protocol,
        spec.kind,
        *column,
        baseline=baseline,
        run=run,
        baseline_label=labels[baseline],
        label=labels[run],
        baseline_mean=values[baseline].mean(),
        run_mean=values[run].mean(),
        difference=difference.mean,
        low=difference.low,
        high=difference.high,
        bootstrap_low=difference.bootstrap_low,
        bootstrap_high=difference.bootstrap_high,
        p=difference.p,
        p_holm=p_holm,
        n=difference.n,
        seeds=" ".join(str(seed) for seed in difference.seeds),
    )
