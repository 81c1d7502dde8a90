"""How far runs lie from a baseline: differences with their intervals, task by task."""

from pathlib import Path
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mast.reporting.read import Runs, read_table
from mast.reporting.style import WIDTH, legend_text, point_style, save_figure_of
from mast.reporting.tables.columns import row_titles
from mast.reporting.tables.summaries import ALL_TASKS

SOURCE = {
    "shows": "differences",
    "reads": "comparison",
    "about": "Studies with `compare`: differences to the baseline with their intervals, for each task and over tasks.",
    "caption": (
        "Mean differences to a baseline, paired over seeds, a panel for each study: of each task, of the mean over "
        "tasks and of the lowest score of each seed, both also corrected for chance. Lines are 95 % intervals by "
        "paired Student t, bars those by bootstrap over seeds, which are too narrow for few seeds (none for one seed). "
        "Right of zero the run is better than the baseline."
    ),
}

NAMES = ["task", "target", "metric"]
NUMBERS = ["difference", "low", "high", "bootstrap_low", "bootstrap_high"]
SPREAD = 0.7
"""Height that the runs of one task take, as a share of the distance between tasks."""
TASK_HEIGHT, RUN_HEIGHT, FRAME_HEIGHT = 0.14, 0.15, 0.85
"""Inches: of a task, more for each run in it, and of a panel's title and axis."""
TITLE_WIDTH = 42
"""Characters that fit above one of two panels."""
BAR = {"lw": 5, "alpha": 0.35, "solid_capstyle": "butt"}


def draw(runs: Runs, output_stem: Path) -> None:
    """Draw a panel per study, a row per task and over tasks, and in it a marker per compared run.

    Markers are mean differences, paired over seeds; lines their 95 % intervals by Student's t, bars those by bootstrap
    (none for one seed). Ranks, which have another unit, are left out.

    Args:
        runs: title of a study → its table of differences as CSV.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    tables = {
        title: read_table(Path(paths[0]), [*NAMES, "baseline_label", "label", *NUMBERS])
        for title, paths in runs.items()
    }
    tables = {title: table[table["metric"] != "rank"] for title, table in tables.items()}
    save_figure_of(tables, _figure, "No runs are compared.", output_stem)


def _figure(tables: dict[str, pd.DataFrame]) -> Figure:
    columns = min(2, len(tables))
    every = [_height(table) for table in tables.values()]
    heights = [max(every[start : start + columns]) for start in range(0, len(every), columns)]
    figure = Figure(figsize=(WIDTH, 0.4 + sum(heights) + FRAME_HEIGHT * len(heights)))
    axes = list(figure.subplots(len(heights), columns, squeeze=False, height_ratios=heights).flat)
    labels = list(dict.fromkeys(label for table in tables.values() for label in table["label"]))
    for axis, (title, table) in zip(axes, tables.items(), strict=False):
        _panel(axis, table, labels)
        axis.set_title(fill(title, TITLE_WIDTH))
    for axis in axes[len(tables) :]:
        axis.remove()
    figure.legend(handles=_legend(labels), loc="outside lower center", ncols=4)
    return figure


def _height(table: pd.DataFrame) -> float:
    return len(table[NAMES].drop_duplicates()) * (TASK_HEIGHT + RUN_HEIGHT * table["label"].nunique())


def _panel(axis: Axes, table: pd.DataFrame, labels: list[str]) -> None:
    rows = list(table[NAMES].drop_duplicates().itertuples(index=False, name=None))
    own = [label for label in labels if label in set(table["label"])]
    for place, label in enumerate(own):
        part = table[table["label"] == label].drop_duplicates(NAMES).set_index(NAMES).reindex(rows)
        heights = [row + SPREAD * ((place + 0.5) / len(own) - 0.5) for row in range(len(rows))]
        style = point_style(labels.index(label))
        for height, low, high in zip(heights, part["bootstrap_low"], part["bootstrap_high"], strict=True):
            axis.plot([low, high], [height, height], color=style["color"], **BAR)
        errors = [part["difference"] - part["low"], part["high"] - part["difference"]]
        axis.errorbar(part["difference"], heights, xerr=errors, capsize=2, **style)
    for row in range(0, len(rows) if len(own) > 1 else 0, 2):
        axis.axhspan(row - 0.5, row + 0.5, color="#f2f2f2", lw=0, zorder=0)
    axis.axvline(0, color="black", lw=0.8)
    tasks = sum(task != ALL_TASKS for task, _, _ in rows)
    if tasks < len(rows):
        axis.axhline(tasks - 0.5, color="#999999", lw=0.6)
    axis.grid(False, axis="y")
    axis.set_yticks(range(len(rows)), row_titles(rows).values())
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlabel(f"percentage points, better than {table['baseline_label'].iloc[0]} →", loc="right")


def _legend(labels: list[str]) -> list[Line2D]:
    runs = [Line2D([], [], label=legend_text(label), **point_style(place)) for place, label in enumerate(labels)]
    line = Line2D([], [], color="black", label="95 % interval, Student t")
    return [*runs, line, Line2D([], [], color="black", label="the same by bootstrap", **BAR)]
