"""Rank correlation of predicted uncertainty with augmentation strength and with the error of nearest neighbours."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mast.columns import ANALYSIS_COLUMNS
from mast.reporting.read import Runs, read_table
from mast.reporting.style import WIDTH, error_bars, legend_text, point_style, save_figure_of

SOURCE = {
    "shows": "uncertainty",
    "reads": "difficulty",
    "caption": (
        "Does predicted uncertainty reflect difficulty? Spearman's rank correlation of the predicted standard "
        "deviation with the strength of each augmentation, and with the share of an image's 20 nearest training images "
        "that are of another class, per task and on average. One point per seed; bars are 95 % bootstrap intervals "
        "over test images."
    ),
}

PANELS = {"strength": "with augmentation strength", "error": "with the error of nearest neighbours"}
SPREAD = 0.6
"""Height of the points of one line, as a share of the distance between lines."""


def draw(runs: Runs, output_stem: Path) -> None:
    """Draw Spearman's correlation with its 95 % interval over images, a point for each run and seed.

    Args:
        runs: label → `difficulty.csv` of each seed. Runs without an uncertainty head are left out.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    columns = ANALYSIS_COLUMNS["difficulty"]
    tables = {label: [read_table(path, columns) for path in paths] for label, paths in runs.items()}
    tables = {label: own for label, own in tables.items() if all(len(table) for table in own)}
    save_figure_of(tables, _figure, "None of the runs predicts uncertainty.", output_stem)


def _figure(tables: dict[str, Sequence[pd.DataFrame]]) -> Figure:
    every = pd.concat([table for own in tables.values() for table in own])
    panels = [panel for panel in PANELS if (every["against"] == panel).any()]
    names = {panel: list(every[every["against"] == panel]["name"].unique()) for panel in panels}
    figure = Figure(figsize=(WIDTH, 1.4 + 0.32 * max(len(own) for own in names.values())))
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, panel in zip(axes, panels, strict=True):
        _points(axis, tables, panel, names[panel])
        axis.set_title(PANELS[panel])
        axis.set_xlabel("Spearman correlation of predicted σ")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    return figure


def _points(axis: Axes, tables: dict[str, Sequence[pd.DataFrame]], panel: str, names: list[str]) -> None:
    points = [(label, table) for label, own in tables.items() for table in own]
    colours = {label: point_style(place)["color"] for place, label in enumerate(tables)}
    for place, (label, table) in enumerate(points):
        part = table[table["against"] == panel].set_index("name").reindex(names)
        rows = [row + SPREAD * ((place + 0.5) / len(points) - 0.5) for row in range(len(names))]
        errors = error_bars(part["correlation"], part["low"], part["high"])
        first = place == 0 or points[place - 1][0] != label
        style = {"color": colours[label], "fmt": "o", "capsize": 2, "label": legend_text(label) if first else None}
        axis.errorbar(part["correlation"], rows, xerr=errors, **style)
    axis.axvline(0, color="black", lw=0.8)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
