"""Columns of a table and their titles."""

from collections.abc import Sequence

import pandas as pd

from mast.config.tables import ALL_TASKS, TableSpec
from mast.errors import MastError
from mast.reporting.tables.summaries import RANK, Column

ROW_TITLES = {
    "mean": "mean over tasks",
    "worst": "worst task",
    "mean rank": "mean rank",
    "corrected mean": "mean, corrected",
    "corrected worst": "worst task, corrected",
}
"""Target of a column that summarises tasks → its title as a row."""


def all_columns(frame: pd.DataFrame, spec: TableSpec) -> list[Column]:
    """Return all (task, target, metric) in the order of the spec's tasks and, within a task, of the files.

    Of each target, the metrics that the table shows come first: figures draw the first one of the table's CSV.
    """
    found = list(dict.fromkeys(frame[["task", "target", "metric"]].itertuples(index=False, name=None)))
    targets = list(dict.fromkeys(column[:2] for column in found))
    shown = _shown_metrics(spec)

    def place(column: Column) -> tuple[int, int, bool]:
        task, _, metric = column
        return spec.tasks.index(task), targets.index(column[:2]), metric not in shown[task]

    return sorted((column for column in found if column[0] in spec.tasks), key=place)


def visible_columns(every: Sequence[Column], spec: TableSpec) -> list[Column]:
    """Return the columns of a table that are shown and not only written to its CSV.

    Raises:
        MastError: the metric chosen for a task is missing for one of its targets.
    """
    shown = _shown_metrics(spec)
    for task, metric in spec.metrics.items():
        targets = dict.fromkeys(column[1] for column in every if column[0] == task)
        for target in targets:
            if (task, target, metric) not in every:
                raise MastError(
                    f"studies.{spec.name}.metric: {metric} of {target!r} of task {task!r} is in no metrics file; "
                    "leave it out"
                )
    return [column for column in every if column[2] in shown[column[0]]]


def headline(visible: Sequence[Column]) -> list[Column]:
    """Return the first metric of each task and target."""
    first = {column[:2]: column for column in reversed(visible)}
    return [column for column in visible if first[column[:2]] == column]


def column_titles(columns: Sequence[Column]) -> list[str]:
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
        short = short if several_metrics else "rank" if column == RANK else target
        titles.append(task if task != ALL_TASKS and _is_single(column, columns) else short)
    return [
        f"{column[0]} {title}" if titles.count(title) > 1 else title
        for column, title in zip(columns, titles, strict=True)
    ]


def row_titles(columns: Sequence[Column]) -> dict[Column, str]:
    """Return titles of columns and of summaries over tasks when each is a separate row."""
    tasks = [column for column in columns if column[0] != ALL_TASKS]
    summaries = {column: ROW_TITLES[column[1]] for column in columns if column[0] == ALL_TASKS}
    return dict(zip(tasks, column_titles(tasks), strict=True)) | summaries


def column_groups(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """Return headings above the columns, (text, number of columns): the task if it has several, else empty."""
    groups = []
    for task in dict.fromkeys(column[0] for column in columns):
        span = sum(column[0] == task for column in columns)
        groups.append((task if span > 1 and task != ALL_TASKS else "", span))
    return groups


def _shown_metrics(spec: TableSpec) -> dict[str, tuple[str, ...]]:
    """Return task → the metrics that the table shows."""
    return {task: (spec.metrics[task],) if task in spec.metrics else spec.shown for task in spec.tasks}


def _is_single(column: Column, columns: Sequence[Column]) -> bool:
    return sum(other[0] == column[0] for other in columns) == 1
