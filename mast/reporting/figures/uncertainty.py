"""Predicted uncertainty against augmentation strength."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mast.columns import ANALYSIS_COLUMNS
from mast.reporting.read import Runs, over_seeds, read_table
from mast.reporting.style import WIDTH, error_bars, line_styles, save_figure_of

SOURCE = {
    "shows": "uncertainty",
    "reads": "uncertainty",
    "about": "Predicted uncertainty against augmentation strength.",
    "caption": (
        "Predicted standard deviation of the embedding on test images under one augmentation at a time. Strength 0 is "
        "the plain image, 1 the strongest that the run's policy allows; augmentations that are only on or off have two "
        "points. Lines are means over seeds, bars reach from the lowest to the highest seed."
    ),
}


def draw(runs: Runs, output_stem: Path) -> None:
    """Draw predicted standard deviation over strength (0 to 1), a panel per run, a line per augmentation.

    Lines are means over seeds; bars reach from the lowest to the highest seed.

    Args:
        runs: label → `uncertainty.csv` of each seed. Runs without an uncertainty head are left out.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    columns = ANALYSIS_COLUMNS["uncertainty"]
    tables = {label: [read_table(path, columns) for path in paths] for label, paths in runs.items()}
    tables = {label: own for label, own in tables.items() if all(len(table) for table in own)}
    save_figure_of(tables, _figure, "None of the runs predicts uncertainty.", output_stem)


def _figure(tables: dict[str, Sequence[pd.DataFrame]]) -> Figure:
    columns = min(2, len(tables))
    rows = -(-len(tables) // columns)
    names = list(dict.fromkeys(name for own in tables.values() for name in own[0]["augmentation"]))
    styles = dict(zip(names, line_styles(len(names)), strict=True))
    figure = Figure(figsize=(WIDTH, 3.4 * rows))
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    lines = {}
    for axis, (label, own) in zip(axes, tables.items(), strict=False):
        lines |= _lines(axis, own, styles)
        axis.set_title(label)
        axis.set_xlabel("augmentation strength")
        axis.set_ylabel("predicted standard deviation σ")
    for axis in axes[len(tables) :]:
        axis.remove()
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=5)
    return figure


def _lines(axis: Axes, own: Sequence[pd.DataFrame], styles: dict[str, dict[str, str]]) -> dict:
    lines = {}
    for name in own[0]["augmentation"].unique():
        parts = [table[table["augmentation"] == name] for table in own]
        curve = over_seeds(parts, "strength", "uncertainty")
        errors = error_bars(curve["mean"], curve["min"], curve["max"])
        lines[name] = axis.errorbar(curve.index, curve["mean"], errors, marker="o", capsize=2, **styles[name])
    return lines
