"""One table as CSV, Markdown, LaTeX and HTML, from metrics files."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mast.config.published import PublishedValue, find_published, read_published
from mast.config.tables import ALL_TASKS, DEFAULT_SUMMARY, TableRow, TableSpec
from mast.errors import MastError
from mast.reporting.statistics import Estimate, estimate
from mast.reporting.tables.collect import code_note, collect, require_fit
from mast.reporting.tables.columns import all_columns, column_groups, column_titles, headline, visible_columns
from mast.reporting.tables.layout import Cell, Layout, Row, setting_titles, shown, shown_published
from mast.reporting.tables.lines import TableLine
from mast.reporting.tables.outputs import write_outputs
from mast.reporting.tables.summaries import (
    CORRECTED_NOTE,
    RANK,
    Column,
    has_corrected,
    over_tasks,
    summed_up,
)

if TYPE_CHECKING:
    from mast.reporting.current import Planned

METRIC_NAMES = {
    "top1": "Top-1 accuracy",
    "top5": "Top-5 accuracy",
    "mean_per_class": "Mean per-class accuracy",
    "mAP": "Mean average precision",
}


@dataclass(frozen=True)
class Result:
    """One run in one column."""

    row: TableRow
    column: Column
    estimate: Estimate
    seeds: tuple[int, ...]
    published: PublishedValue | None

    @property
    def is_counted(self) -> bool:
        """Whether its seeds count as those of the table: a run that is trained with labels has no rank."""
        return not (self.column == RANK and self.row.with_labels)

    @property
    def difference(self) -> float | None:
        """Ours minus the published value, percentage points; None where either is missing."""
        if self.published is None or self.published.value is None or self.estimate.n == 0:
            return None
        return self.estimate.mean - self.published.value


def write_table(
    spec: TableSpec,
    metrics: Iterable[Path],
    published: Path | None,
    output_stem: Path,
    planned: "Planned | None" = None,
) -> None:
    """Write `<output_stem>.csv`, `.md`, `.tex`, `.html` and `.sources.json` from metrics files and published values.

    The CSV has every metric at full precision, one line per run and column. The other files show the metrics of the
    spec, as mean ± half width of the 95 % interval over seeds.

    Raises:
        MastError: see `collect`, `require_fit`, `Planned.require` (if `planned` is given), `read_published` and
            `find_published`.
    """
    metrics = list(metrics)
    frame = collect(metrics)
    require_fit(frame, spec)
    if planned is not None:
        planned.require(frame)
    values = () if published is None else read_published(published)
    every = all_columns(frame, spec)
    results = {(row.run, column): _result(frame, spec, row, column, values) for row in spec.rows for column in every}
    visible = visible_columns(every, spec)
    sums = _sums(frame, spec, headline(visible))
    results |= {(result.row.run, result.column): result for result in sums}
    visible += dict.fromkeys(result.column for result in sums)
    write_outputs(output_stem, _csv(spec, results), _layout(spec, visible, results, code_note(frame)), metrics)


def _result(
    frame: pd.DataFrame, spec: TableSpec, row: TableRow, column: Column, values: tuple[PublishedValue, ...]
) -> Result:
    task, target, metric = column
    mask = (frame["run"] == row.run) & (frame["task"] == task)
    part = frame[mask & (frame["target"] == target) & (frame["metric"] == metric)].dropna(subset="value")
    seeds = tuple(sorted(part["seed"]))
    return Result(row, column, estimate(part["value"]), seeds, find_published(values, spec, column, row))


def _sums(frame: pd.DataFrame, spec: TableSpec, columns: list[Column]) -> list[Result]:
    """Return the summaries over tasks, a result for each summary that the study shows and each run; none for one
    column.

    Raises:
        MastError: a summary was chosen, but there are not several columns to summarise.
    """
    if not spec.averaged or len(columns) < 2:
        if spec.summary != DEFAULT_SUMMARY:
            raise MastError(f"studies.{spec.name}.summary: the table has no several tasks to sum up; leave it out")
        return []
    ranked = [row.run for row in spec.rows if not row.with_labels]
    scores = summed_up(frame, columns, [row.run for row in spec.rows], ranked)
    chosen = [column for summary in spec.summary if (column := over_tasks(summary, columns)) in scores]
    return [_sum(row, column, scores[column][row.run].dropna()) for column in chosen for row in spec.rows]


def _sum(row: TableRow, column: Column, values: pd.Series) -> Result:
    return Result(row, column, estimate(values), tuple(sorted(values.index)), None)


def _layout(
    spec: TableSpec, columns: list[Column], results: dict[tuple[str, Column], Result], warnings: list[str]
) -> Layout:
    keys = tuple(spec.rows[0].settings)
    counts = _counts([results[row.run, column] for row in spec.rows for column in columns])
    count_column = len(counts) > 1
    best = _best(spec, columns, results)
    rows: list[Row] = []
    for row in spec.rows:
        own = [results[row.run, column] for column in columns]
        cells = [Cell(row.label), *(Cell(row.settings[key]) for key in keys)]
        cells += [Cell(shown(result.estimate), (row.run, result.column) in best) for result in own]
        if count_column:
            cells.append(Cell(_count(own)))
        rows.append(Row(tuple(cells)))
        if any(result.published for result in own):
            rows.append(_published_row(own, len(keys), count_column))
    return Layout(
        name=spec.name,
        title=spec.title,
        caption=spec.caption,
        groups=(("", 1 + len(keys)), *column_groups(columns), *((("", 1),) if count_column else ())),
        columns=("run", *setting_titles(keys), *column_titles(columns), *(("n",) if count_column else ())),
        text_columns=1 + len(keys),
        rows=tuple(rows),
        notes=(*_notes(spec, columns, results, counts), *warnings),
    )


def _published_row(own: list[Result], settings: int, count_column: bool) -> Row:
    texts = [
        "" if result.published is None else shown_published(result.published.value, result.difference) for result in own
    ]
    padding = [""] if count_column else []
    return Row(tuple(Cell(text) for text in ["published", *[""] * settings, *texts, *padding]), published=True)


def _best(spec: TableSpec, columns: list[Column], results: dict[tuple[str, Column], Result]) -> set[tuple[str, Column]]:
    """Return (run, column) of the best printed mean, among two or more runs that are not trained with labels."""
    best = set()
    for column in columns:
        means = {
            row.run: round(results[row.run, column].estimate.mean, 1)
            for row in spec.rows
            if not row.with_labels and results[row.run, column].estimate.n
        }
        if len(means) > 1:
            first = min(means.values()) if column == RANK else max(means.values())
            best |= {(run, column) for run, mean in means.items() if mean == first}
    return best


def _counts(results: list[Result]) -> list[int]:
    return sorted({result.estimate.n for result in results if result.is_counted})


def _count(results: list[Result]) -> str:
    counts = _counts(results)
    return "–".join(str(count) for count in (counts[0], counts[-1])[: len(counts)])


def _notes(
    spec: TableSpec, columns: list[Column], results: dict[tuple[str, Column], Result], counts: list[int]
) -> list[str]:
    notes = [f"{unit_of(spec, columns)}: {_interval_note(counts)}"]
    if spec.note:
        notes.append(spec.note)
    notes += _summary_notes(spec, columns)
    if any(row.with_labels for row in spec.rows):
        notes.append("Best per column in bold, runs trained with labels left out.")
    else:
        notes.append("Best per column in bold.")
    published = [results[row.run, column].published for row in spec.rows for column in columns]
    numbers = [value for value in published if value is not None and value.value is not None]
    sources = dict.fromkeys(_source(value, spec.kind) for value in numbers)
    if sources:
        notes.append("Published values, in brackets ours minus published: " + "; ".join(sources) + ".")
    if any(value is not None and value.value is None for value in published):
        notes.append("n/a: the published value is not available here.")
    return notes


def _summary_notes(spec: TableSpec, columns: list[Column]) -> list[str]:
    notes = []
    if any(column[:2] == (ALL_TASKS, "worst") for column in columns):
        notes.append("Worst: the lowest score of each seed.")
    if RANK in columns:
        without = ", those trained with labels left out" if any(row.with_labels for row in spec.rows) else ""
        notes.append(
            f"Rank: mean over tasks of the rank among the runs of this table within each seed{without}; 1 is best."
        )
    return [*notes, CORRECTED_NOTE] if has_corrected(columns) else notes


def unit_of(spec: TableSpec, columns: list[Column]) -> str:
    """Return the quantity of the shown numbers; if tasks differ, with their names."""
    tasks = {
        metric: [task for task in spec.tasks if (task, metric) in {(c[0], c[2]) for c in columns}]
        for metric in METRIC_NAMES
    }
    used = {METRIC_NAMES[metric]: names for metric, names in tasks.items() if names}
    if len(used) < 2:
        return f"{next(iter(used), spec.unit)}, percent"
    return "; ".join(f"{name} ({', '.join(names)})" for name, names in used.items()) + ", percent"


def _interval_note(counts: list[int]) -> str:
    if counts == [1]:
        return "n = 1 seed, so no interval."
    mean = "mean ± half width of the 95 % interval over seeds (Student t), "
    if len(counts) == 1:
        return mean + f"n = {counts[0]} seeds."
    return mean + "n seeds; no interval where n = 1."


def _source(value: PublishedValue, kind: str) -> str:
    note = value.note_for(kind)
    return f"{value.value:.6g}: {value.source}{f' ({note})' if note else ''}"


def _csv(spec: TableSpec, results: dict[tuple[str, Column], Result]) -> str:
    frame = pd.DataFrame([_line(spec, result) for result in results.values()])
    shown = [key for key in spec.rows[0].settings if key not in TableLine._fields]  # `method` has a column already
    for place, key in enumerate(shown, start=TableLine._fields.index("mean")):
        frame.insert(place, key, [result.row.settings[key] for result in results.values()])
    return frame.to_csv(index=False, lineterminator="\n")


def _line(spec: TableSpec, result: Result) -> TableLine:
    row, published = result.row, result.published
    return TableLine(
        spec.name,
        spec.protocol,
        spec.kind,
        *result.column,
        **{key: getattr(row, key) for key in ("run", "label", "method", "encoder", "dataset")},
        mean=result.estimate.mean,
        interval=result.estimate.interval,
        n=result.estimate.n,
        seeds=" ".join(str(seed) for seed in result.seeds),
        published=published.value if published else None,
        difference=result.difference,
        source=published.source if published else None,
        note=published.note_for(spec.kind) if published else None,
    )
