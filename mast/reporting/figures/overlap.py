"""Overlap of the subspaces of two augmentations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mast.columns import ANALYSIS_COLUMNS
from mast.reporting.heat_map import draw_pairs, without_diagonal
from mast.reporting.read import Runs, read_seeds
from mast.reporting.style import WIDTH, save_figure_of

SOURCE = {
    "shows": "masks",
    "reads": "overlap",
    "caption": (
        "Overlap of the subspaces of two augmentations, mean over seeds: cosine of the mask weights, and soft "
        "intersection over union. High values mean that two augmentations share features; above the panels is what "
        "masks of the same weights share whose dimensions are drawn at random. Colours span the values that occur."
    ),
}

MEASURES = {"cosine": "cosine of mask weights", "soft_iou": "soft intersection over union"}


def draw(runs: Runs, output_stem: Path) -> None:
    """Draw a heat map augmentation × augmentation for each run and measure, averaged over seeds.

    The diagonal, always 1, is left out, and the colours of a measure span its values in all runs, because soft masks
    overlap strongly.

    Args:
        runs: label → `overlap.csv` of each seed. Runs without learned masks are left out.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    tables = {label: _mean_over_seeds(paths) for label, paths in runs.items()}
    save_figure_of(tables, _figure, "None of the runs has learned masks.", output_stem)


def _mean_over_seeds(paths: Sequence[Path]) -> pd.DataFrame:
    table = read_seeds(paths, ANALYSIS_COLUMNS["overlap"])
    columns = [*MEASURES, *(f"{measure}_chance" for measure in MEASURES)]
    return table.groupby(["first", "second"], sort=False)[columns].mean()


def _figure(tables: dict[str, pd.DataFrame]) -> Figure:
    figure = Figure(figsize=(WIDTH, 3.6 * len(tables)), layout="compressed")
    axes = figure.subplots(len(tables), len(MEASURES), squeeze=False)
    for column, (measure, title) in enumerate(MEASURES.items()):
        matrices = {label: _between_different(table[measure]) for label, table in tables.items()}
        limits = _limits(list(matrices.values()))
        for row, (label, matrix) in enumerate(matrices.items()):
            axis = axes[row, column]
            draw_pairs(axis, matrix, limits, aspect="equal")
            unrelated = _between_different(tables[label][f"{measure}_chance"]).mean(axis=None)
            axis.set_title(f"{label}\n{title}\nmasks at random: {unrelated:.2f}")
            figure.colorbar(axis.images[0], ax=axis, fraction=0.046, pad=0.03)
    return figure


def _between_different(values: pd.Series) -> pd.DataFrame:
    """Return a square matrix in the file's order, NaN on the diagonal."""
    names = values.index.unique("first")
    return without_diagonal(values.unstack("second").loc[names, names])


def _limits(matrices: list[pd.DataFrame]) -> tuple[float, float]:
    """Return the lowest and highest value of all matrices, rounded outwards to multiples of 0.05."""
    values = np.concatenate([matrix.to_numpy().ravel() for matrix in matrices])
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return 0.0, 1.0
    low, high = np.floor(values.min() * 20) / 20, np.ceil(values.max() * 20) / 20
    return (float(low), float(high)) if low < high else (float(low) - 0.05, float(high))
