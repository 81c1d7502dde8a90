"""Which invariance helps which task: accuracy of each task under growing sets of augmentations."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mast.reporting.curves import Runs, read_table
from mast.reporting.style import COLOURS, WIDTH, empty_figure, figure_style, save_figure

SETTING = "policy.augmentations"
COLUMNS = ("task", "target", "metric", "label", SETTING, "mean", "interval")
MARKERS = ("o", "s", "^", "D")
SPREAD = 0.35
"""Width that the points of one set take, as a share of the distance between sets."""


def draw_motivation(runs: Runs, output_stem: Path) -> None:
    """Draw a panel per task and target, a column per set of augmentations and a marker per kind of run.

    Points are means over seeds, bars their 95 % intervals (none for one seed).

    Args:
        runs: title of a study → its table's CSV; the study shows the setting `policy.augmentations`. Of each task and
            target the first metric is drawn.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    tables = {title: _first_metrics(read_table(Path(paths[0]), COLUMNS)) for title, paths in runs.items()}
    tables = {title: table for title, table in tables.items() if len(table)}
    with figure_style():
        save_figure(_figure(tables) if tables else empty_figure("No set of augmentations is evaluated."), output_stem)


def _first_metrics(table: pd.DataFrame) -> pd.DataFrame:
    shown = table.drop_duplicates(["task", "target"])[["task", "target", "metric"]]
    return table.merge(shown, on=["task", "target", "metric"])


def _figure(tables: dict[str, pd.DataFrame]) -> Figure:
    panels = [(title, column) for title, table in tables.items() for column in _panels(table)]
    labels = list(dict.fromkeys(label for table in tables.values() for label in table["label"]))
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(WIDTH, 0.4 + 2.4 * rows))
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for place, (axis, (title, (task, target))) in enumerate(zip(axes, panels, strict=False)):
        table = tables[title]
        _panel(axis, table[(table["task"] == task) & (table["target"] == target)], labels)
        axis.set_title("mean over tasks" if task == "all" else f"{task}: {target}")
        if place % columns == 0:
            axis.set_ylabel("accuracy, percent")
    for axis in axes[len(panels) :]:
        axis.remove()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=min(4, len(labels)))
    return figure


def _panels(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Task and target of each panel, in the table's order."""
    return list(dict.fromkeys(zip(table["task"], table["target"], strict=True)))


def _panel(axis: Axes, table: pd.DataFrame, labels: list[str]) -> None:
    sets = list(table[SETTING].unique())
    for place, label in enumerate(labels):
        own = table[table["label"] == label].drop_duplicates(SETTING).set_index(SETTING).reindex(sets)
        offset = SPREAD * ((place + 0.5) / len(labels) - 0.5)
        style = {"fmt": MARKERS[place % len(MARKERS)], "color": COLOURS[place % len(COLOURS)], "capsize": 2}
        axis.errorbar(np.arange(len(sets)) + offset, own["mean"], own["interval"], label=label, **style)
    axis.set_xticks(range(len(sets)), [name.replace("+", "\n+") for name in sets], fontsize=8)
    axis.set_xlim(-0.5, len(sets) - 0.5)
    axis.grid(False, axis="x")
