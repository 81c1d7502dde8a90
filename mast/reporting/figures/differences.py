"""Differences of runs to a baseline, task by task: with their intervals or, for many runs, as a map of numbers."""

from pathlib import Path
from textwrap import fill
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mast.config.tables import ALL_TASKS
from mast.reporting.heat_map import draw_differences
from mast.reporting.paired import is_clear
from mast.reporting.read import Runs, read_table
from mast.reporting.style import WIDTH, error_bars, legend_text, point_style, save_figure_of
from mast.reporting.tables.columns import column_titles, row_titles
from mast.reporting.tables.summaries import RANK, Column

SOURCE = {
    "shows": "differences",
    "reads": "comparison",
    "about": "Studies with `compare`: differences to the baseline with their intervals, for each task and over tasks.",
    "caption": (
        "Mean differences to a baseline, paired over seeds, a panel for each study: of each task, of the mean over "
        "tasks and of the lowest score of each seed, both also corrected for chance. Up to four runs: lines are 95 % "
        "intervals by paired Student t, bars those by bootstrap over seeds, which are too narrow for few seeds (none "
        "for one seed); right of zero the run is better than the baseline. More runs: a row each, blue where it is "
        "better; bold where the 95 % interval by paired Student t has a width and leaves out zero."
    ),
}

NAMES = ["task", "target", "metric"]
NUMBERS = ["difference", "low", "high", "bootstrap_low", "bootstrap_high"]
MOST_WITH_INTERVALS = 4
"""Largest number of runs of one study that are drawn with markers. More runs are easier to read on a map, which needs a
third of the height.
"""
SPREAD = 0.7
"""Height of the runs of one task, as a share of the distance between tasks."""
TASK_HEIGHT, RUN_HEIGHT, FRAME_HEIGHT = 0.14, 0.15, 0.85
"""Heights in inches: of a task, of each run in it, and of a panel's title and axis."""
TITLE_WIDTH = 30
"""Number of characters that fit above one of two panels."""
ROW_HEIGHT, HEAD_HEIGHT, TURNED_HEIGHT = 0.25, 0.75, 1.4
"""Heights in inches: of a run in a map, of the titles above it, and of rotated titles."""
LETTER, DIGIT = 0.0078, 0.0104
"""Widths in inches of a letter of a title and of a bold digit, per point of their size."""
LARGEST, SMALLEST = 9.0, 6.5
"""Largest and smallest size of text in a map, points; titles that would have to be smaller are rotated."""
FEWEST_COLUMNS = 6
"""Smallest number of columns that fill a map's width; fewer columns stay at the left and are not stretched."""
FULL_COLOUR = 15.0
"""Difference in percentage points from which on the colour of a map is the same."""
BAR = {"lw": 5, "alpha": 0.35, "solid_capstyle": "butt"}


def draw(runs: Runs, output_stem: Path) -> None:
    """Draw a panel per study, a row per task and over tasks, and in it a marker per compared run.

    Markers are mean differences, paired over seeds; lines their 95 % intervals by Student's t, bars those by bootstrap
    (none for one seed). If a study compares more than `MOST_WITH_INTERVALS` runs, panels are maps instead: a row per
    run and a column per task and over tasks, with the mean difference, bold if Student's interval excludes zero. Ranks
    are left out, because they have another unit.

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
    tables = {title: table[table["metric"] != RANK[2]] for title, table in tables.items()}
    save_figure_of(tables, _figure, "No runs are compared.", output_stem)


def _figure(tables: dict[str, pd.DataFrame]) -> Figure:
    most = max(table["label"].nunique() for table in tables.values())
    return _maps(tables) if most > MOST_WITH_INTERVALS else _intervals(tables)


def _maps(tables: dict[str, pd.DataFrame]) -> Figure:
    names = {title: _columns(table) for title, table in tables.items()}
    columns = max(FEWEST_COLUMNS, *map(len, names.values()))
    longest = max(len(label) for table in tables.values() for label in table["label"])
    width = max(WIDTH - longest * LETTER * LARGEST, WIDTH / 4) / columns
    words = [word for own in names.values() for column_title in column_titles(own) for word in column_title.split()]
    size = min(LARGEST, width / LETTER / (max(map(len, words)) + 1))  # a letter's width between titles
    head = {"size": size} if size >= SMALLEST else {"rotation": 45, "ha": "left", "rotation_mode": "anchor"}
    above = TURNED_HEIGHT if "rotation" in head else HEAD_HEIGHT
    rows = [table["label"].nunique() for table in tables.values()]
    figure = Figure(figsize=(WIDTH, 0.3 + ROW_HEIGHT * sum(rows) + above * len(rows)))
    axes = figure.subplots(len(tables), 1, squeeze=False, height_ratios=rows)[:, 0]
    for axis, (title, table) in zip(axes, tables.items(), strict=True):
        _map(axis, table, names[title], min(LARGEST, width / DIGIT / len("+12.3")), head)
        axis.set_xlim(-0.5, columns - 0.5)
        axis.set_title(f"{title}: differences to {table['baseline_label'].iloc[0]}")
    figure.supxlabel("percentage points; bold: the 95 % interval (Student t) leaves out zero", size="medium")
    return figure


def _map(axis: Axes, table: pd.DataFrame, names: list[Column], size: float, head: dict[str, Any]) -> None:
    table = table.drop_duplicates([*NAMES, "label"])
    table = table.assign(clear=[is_clear(*ends) for ends in zip(table["low"], table["high"], strict=True)])
    numbers, bold = (
        table.pivot(index="label", columns=NAMES, values=value).reindex(table["label"].unique(), columns=names)
        for value in ("difference", "clear")
    )
    draw_differences(axis, numbers, bold, FULL_COLOUR, size)
    titles = column_titles(names)
    axis.set_xticks(range(len(names)), titles if "rotation" in head else [t.replace(" ", "\n") for t in titles], **head)
    tasks = sum(task != ALL_TASKS for task, _, _ in names)
    axis.axvline(tasks - 0.5, color="white", lw=5)


def _columns(table: pd.DataFrame) -> list[Column]:
    return list(table[NAMES].drop_duplicates().itertuples(index=False, name=None))


def _intervals(tables: dict[str, pd.DataFrame]) -> Figure:
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
    return len(_columns(table)) * (TASK_HEIGHT + RUN_HEIGHT * table["label"].nunique())


def _panel(axis: Axes, table: pd.DataFrame, labels: list[str]) -> None:
    rows = _columns(table)
    own = [label for label in labels if label in set(table["label"])]
    for place, label in enumerate(own):
        part = table[table["label"] == label].drop_duplicates(NAMES).set_index(NAMES).reindex(rows)
        heights = [row + SPREAD * ((place + 0.5) / len(own) - 0.5) for row in range(len(rows))]
        style = point_style(labels.index(label))
        for height, low, high in zip(heights, part["bootstrap_low"], part["bootstrap_high"], strict=True):
            axis.plot([low, high], [height, height], color=style["color"], **BAR)
        errors = error_bars(part["difference"], part["low"], part["high"])
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
