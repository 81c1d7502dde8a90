"""Summaries of a table over its tasks: mean, worst task and mean rank of each seed and run."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
import pandas as pd

from mast.config.tables import ALL_TASKS, Summary
from mast.reporting.statistics import mean_per_seed
from mast.reporting.tables.collect import corrected

Column = tuple[str, str, str]
"""(task, target, metric)"""

Scores = dict[Column, pd.DataFrame]
"""Column → one value per seed (index) and run (column)."""

RANK: Column = (ALL_TASKS, "mean rank", "rank")
"""The column with another unit than the scores, whose lowest value is the best."""

CORRECTED_NOTE = (
    "Corrected: for chance. 0 is what is reached without a look at the images, by always guessing the most frequent "
    "class (of mean per-class accuracy: any class; of average precision: the share of images that show the class), and "
    "100 is perfect."
)


def over_tasks(summary: Summary, columns: Sequence[Column]) -> Column:
    """Return the column that summarises others; its metric is theirs, `mixed` if theirs differ, `rank` for ranks."""
    metrics = {metric for _, _, metric in columns}
    return RANK if summary == "rank" else (ALL_TASKS, summary, metrics.pop() if len(metrics) == 1 else "mixed")


def has_corrected(columns: Sequence[Column]) -> bool:
    """Return whether one of a table's columns is corrected for chance."""
    return any(task == ALL_TASKS and target.startswith("corrected ") for task, target, _ in columns)


def per_seed(frame: pd.DataFrame, column: Column, runs: Sequence[str]) -> pd.DataFrame:
    """Return one column's value per seed (index) and run (column) of a tidy frame; NaN if it is missing."""
    task, target, metric = column
    part = frame[(frame["task"] == task) & (frame["target"] == target) & (frame["metric"] == metric)]
    return part.pivot(index="seed", columns="run", values="value").reindex(columns=list(runs))


def summed_up(frame: pd.DataFrame, columns: Sequence[Column], runs: Sequence[str], ranked: Sequence[str]) -> Scores:
    """Return every summary of the columns, within each seed, so that correlations of the columns stay in its interval.

    Mean and lowest value are given for each run that has all columns, also for scores corrected for chance if the
    chance of every column is known. Ranks (1 is best, ties share their mean) are those among `ranked` within each seed
    that all of them have, averaged over columns. Correction for chance does not change ranks within a column.

    Args:
        frame: as `collect` returns it.
        columns: two or more columns to summarise.
        runs: columns of the returned values; NaN if a run has none.
        ranked: runs that are ranked.
    """
    found = {
        over_tasks("mean", columns): _means(frame, columns, runs),
        over_tasks("worst", columns): _lowest(frame, columns, runs),
        RANK: _mean_ranks(frame, columns, ranked).reindex(columns=list(runs)),
    }
    if (above := corrected(frame, columns)) is not None:
        found[over_tasks("corrected mean", columns)] = _means(above, columns, runs)
        found[over_tasks("corrected worst", columns)] = _lowest(above, columns, runs)
    return found


def _means(frame: pd.DataFrame, columns: Sequence[Column], runs: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame({run: mean_per_seed(frame[frame["run"] == run], columns) for run in runs}, dtype=float)


def _lowest(frame: pd.DataFrame, columns: Sequence[Column], runs: Sequence[str]) -> pd.DataFrame:
    return reduce(_lower, (per_seed(frame, column, runs) for column in columns))


def _mean_ranks(frame: pd.DataFrame, columns: Sequence[Column], runs: Sequence[str]) -> pd.DataFrame:
    # Rounded, because equal scores that were added up in another order differ in their last bit and would not be tied.
    ranks = [per_seed(frame, column, runs).dropna().round(9).rank(axis=1, ascending=False) for column in columns]
    return reduce(pd.DataFrame.add, ranks) / len(ranks)


def _lower(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    first, second = first.align(second)
    return pd.DataFrame(np.minimum(first, second), index=first.index, columns=first.columns)
