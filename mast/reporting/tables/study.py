"""One table as CSV, Markdown, LaTeX and HTML, from metrics files."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mast.config.published import PublishedValue, find_published, read_published
from mast.config.tables import TableRow, TableSpec
from mast.errors import MastError
from mast.reporting.statistics import Estimate, estimate, mean_per_seed
from mast.reporting.tables.collect import code_note, collect, corrected, require_fit
from mast.reporting.tables.layout import Cell, Layout, Row, setting_titles, shown, shown_published
from mast.reporting.tables.lines import TableLine
from mast.reporting.tables.outputs import write_outputs

Column = tuple[str, str, str]
"""(task, target, metric)"""

ALL_TASKS = "all"
"""Used instead of the task in columns that summarise tasks."""

SUMMARIES = {
    "mean": "mean over tasks",
    "worst": "worst task",
    "mean rank": "mean rank",
    "corrected mean": "mean, corrected",
    "corrected worst": "worst task, corrected",
}
CORRECTED_NOTE = (
    "Corrected: for chance. 0 is what is reached without a look at the images, by always guessing the most frequent "
    "class (of mean per-class accuracy: any class; of average precision: the share of images that show the class), and "
    "100 is perfect."
)
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
    def difference(self) -> float | None:
        """Ours minus the published value, percentage points; None where either is missing."""
        if self.published is None or self.published.value is None or self.estimate.n == 0:
            return None
        return self.estimate.mean - self.published.value


def write_table(spec: TableSpec, metrics: Iterable[Path], published: Path | None, output_stem: Path) -> None:
    """Write `<output_stem>.csv`, `.md`, `.tex`, `.html` and `.sources.json` from metrics files and published values.

    The CSV has every metric at full precision, one line per run and column. The other files show the metrics of the
    spec, as mean ± half width of the 95 % interval over seeds.

    Raises:
        MastError: see `collect`, `require_fit`, `read_published` and `find_published`.
    """
    metrics = list(metrics)
    frame = collect(metrics)
    require_fit(frame, spec)
    values = () if published is None else read_published(published)
    every = all_columns(frame, spec)
    results = {(row.run, column): _result(frame, spec, row, column, values) for row in spec.rows for column in every}
    visible = visible_columns(every, spec)
    if spec.averaged and len(visible) > 1:
        frames = {over_tasks("mean", visible): frame, over_tasks("corrected mean", visible): corrected(frame, visible)}
        means = {column: scores for column, scores in frames.items() if scores is not None}
        for mean, scores in means.items():
            results |= {(row.run, mean): _mean_result(scores, row, mean, visible) for row in spec.rows}
        visible = [*visible, *means]
    write_outputs(output_stem, _csv(spec, results), _layout(spec, visible, results, code_note(frame)), metrics)


def all_columns(frame: pd.DataFrame, spec: TableSpec) -> list[Column]:
    """Return all (task, target, metric) in the order of the spec's tasks and, within a task, of the files."""
    found = list(dict.fromkeys(frame[["task", "target", "metric"]].itertuples(index=False, name=None)))
    return [column for task in spec.tasks for column in found if column[0] == task]


def over_tasks(summary: str, columns: list[Column]) -> Column:
    """Return the column of a summary (`mean`, `worst`) of others; its metric is theirs, or `mixed` if theirs differ."""
    metrics = {metric for _, _, metric in columns}
    return ALL_TASKS, summary, metrics.pop() if len(metrics) == 1 else "mixed"


def visible_columns(every: list[Column], spec: TableSpec) -> list[Column]:
    """Return the columns of a table that are shown and not only written to its CSV.

    Raises:
        MastError: the metric chosen for a task is in none of its files.
    """
    shown = {task: (spec.metrics[task],) if task in spec.metrics else spec.shown for task in spec.tasks}
    for task, metric in spec.metrics.items():
        if not any(column[0] == task and column[2] == metric for column in every):
            raise MastError(
                f"studies.{spec.name}.metric: {metric} of task {task!r} is in no metrics file; leave it out"
            )
    return [column for column in every if column[2] in shown[column[0]]]


def _result(
    frame: pd.DataFrame, spec: TableSpec, row: TableRow, column: Column, values: tuple[PublishedValue, ...]
) -> Result:
    task, target, metric = column
    mask = (frame["run"] == row.run) & (frame["task"] == task)
    part = frame[mask & (frame["target"] == target) & (frame["metric"] == metric)].dropna(subset="value")
    seeds = tuple(sorted(part["seed"]))
    return Result(row, column, estimate(part["value"]), seeds, find_published(values, spec, column, row))


def _mean_result(frame: pd.DataFrame, row: TableRow, mean: Column, columns: list[Column]) -> Result:
    means = mean_per_seed(frame[frame["run"] == row.run], columns)
    return Result(row, mean, estimate(means), tuple(sorted(means.index)), None)


def _layout(
    spec: TableSpec, columns: list[Column], results: dict[tuple[str, Column], Result], warnings: list[str]
) -> Layout:
    keys = tuple(spec.rows[0].settings)
    counts = sorted({result.estimate.n for (_, column), result in results.items() if column in columns})
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
        groups=_groups(columns, 1 + len(keys), count_column),
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
    """Return (run, column) of the highest printed mean, among two or more runs that are not trained with labels."""
    best = set()
    for column in columns:
        means = {
            row.run: round(results[row.run, column].estimate.mean, 1)
            for row in spec.rows
            if not row.with_labels and results[row.run, column].estimate.n
        }
        if len(means) > 1:
            best |= {(run, column) for run, mean in means.items() if mean == max(means.values())}
    return best


def _count(results: list[Result]) -> str:
    counts = sorted({result.estimate.n for result in results})
    return "–".join(str(count) for count in (counts[0], counts[-1])[: len(counts)])


def _is_single(column: Column, columns: list[Column]) -> bool:
    return sum(other[0] == column[0] for other in columns) == 1


def column_titles(columns: list[Column]) -> list[str]:
    """Return titles: the task if it has one column, else the target or, for detection, the metric; doubles get the
    task.

    For a detector that is scored on boxes and masks, they are `box AP` and `mask AP`.
    """
    titles = []
    for column in columns:
        task, target, metric = column
        several_metrics = sum(other[:2] == column[:2] for other in columns) > 1
        several_targets = sum((other[0], other[2]) == (task, metric) for other in columns) > 1
        short = metric if not several_targets else f"{target} {metric}"
        short = short if several_metrics else target
        titles.append(task if task != ALL_TASKS and _is_single(column, columns) else short)
    return [
        f"{column[0]} {title}" if titles.count(title) > 1 else title
        for column, title in zip(columns, titles, strict=True)
    ]


def row_titles(columns: list[Column]) -> dict[Column, str]:
    """Return titles of columns and of summaries over tasks when each is a separate line."""
    tasks = [column for column in columns if column[0] != ALL_TASKS]
    summaries = {column: SUMMARIES[column[1]] for column in columns if column[0] == ALL_TASKS}
    return dict(zip(tasks, column_titles(tasks), strict=True)) | summaries


def _groups(columns: list[Column], text_columns: int, count_column: bool) -> tuple[tuple[str, int], ...]:
    groups = [("", text_columns)]
    for task in dict.fromkeys(column[0] for column in columns):
        span = sum(column[0] == task for column in columns)
        groups.append((task if span > 1 and task != ALL_TASKS else "", span))
    return (*groups, *((("", 1),) if count_column else ()))


def _notes(
    spec: TableSpec, columns: list[Column], results: dict[tuple[str, Column], Result], counts: list[int]
) -> list[str]:
    notes = [f"{unit_of(spec, columns)}: {_interval_note(counts)}"]
    if spec.note:
        notes.append(spec.note)
    if any(target == "corrected mean" for _, target, _ in columns):
        notes.append(CORRECTED_NOTE)
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
