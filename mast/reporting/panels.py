"""Figures with a panel per task and target, drawn from tables of studies."""

from collections.abc import Callable
from pathlib import Path
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mast.config.tables import ALL_TASKS
from mast.reporting.read import Runs, read_table
from mast.reporting.style import WIDTH, legend_text, save_figure_of
from mast.reporting.tables.lines import TableLine
from mast.reporting.tables.summaries import RANK

LARGEST_IN_A_ROW = 3
LIMITS = (-3.0, 103.0)
"""Limits of an axis in percent. A wide interval of few seeds is cut there, because it would shrink everything else. A
mean is never cut: corrected for chance, it may be below zero.
"""
TITLE_WIDTH = 32
"""Number of characters that fit above a panel."""

Panel = Callable[[Axes, pd.DataFrame, list[str]], None]
"""Function that draws the lines of one task and target, given the labels of all runs of the figure in order."""


def draw_panels(runs: Runs, setting: str, panel: Panel, nothing: str, output_stem: Path) -> None:
    """Draw a panel with the first metric of each task and target in the tables.

    Args:
        runs: title of a study → its table's CSV, with the column `setting`. With several studies, each panel names its
            study.
        setting: dotted key that all the studies show.
        panel: function that draws one panel.
        nothing: text of the figure if the tables are empty.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    columns = (*TableLine._fields, setting)
    tables = {title: first_metrics(read_table(Path(paths[0]), columns)) for title, paths in runs.items()}
    save_figure_of(tables, lambda found: panel_figure(found, panel), nothing, output_stem)


def first_metrics(table: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of a table with the first metric of each task and target, with labels as shown in legends.

    The first metric is the one that the table shows (`all_columns`). Ranks are left out: they have another unit.
    """
    table = table[table["metric"] != RANK[2]]
    shown = table.drop_duplicates(["task", "target"])[["task", "target", "metric"]]
    table = table.merge(shown, on=["task", "target", "metric"])
    return table.assign(label=table["label"].map(legend_text))


def panel_figure(tables: dict[str, pd.DataFrame], panel: Panel) -> Figure:
    """Return the figure of one or more tables, none of them empty, in three columns above one legend."""
    panels = [
        (title, part) for title, table in tables.items() for _, part in table.groupby(["task", "target"], sort=False)
    ]
    labels = list(dict.fromkeys(label for table in tables.values() for label in table["label"]))
    columns = min(LARGEST_IN_A_ROW, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(WIDTH, 0.4 + (2.4 if len(tables) == 1 else 2.6) * rows))
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for place, (axis, (title, part)) in enumerate(zip(axes, panels, strict=False)):
        panel(axis, part, labels)
        lowest = np.nanmin([LIMITS[0], part["mean"].min() - 1])
        axis.set_ylim(*np.clip(axis.get_ylim(), lowest, LIMITS[1]))
        study = fill(title, TITLE_WIDTH) + "\n" if len(tables) > 1 else ""
        axis.set_title(study + _title(part))
        if place % columns == 0:
            axis.set_ylabel(_unit(part))
    for axis in axes[len(panels) :]:
        axis.remove()
    handles = {
        label: line for axis in figure.axes for line, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    shown = [label for label in labels if label in handles]
    figure.legend([handles[label] for label in shown], shown, loc="outside lower center", ncols=min(4, len(shown)))
    return figure


def _title(part: pd.DataFrame) -> str:
    task, target = part[["task", "target"]].iloc[0]
    return f"{target} over tasks" if task == ALL_TASKS else f"{task}: {target}"


def _unit(part: pd.DataFrame) -> str:
    return "average precision, percent" if part["metric"].iloc[0] in ("AP", "mAP") else "accuracy, percent"
