"""Masks as heat maps."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mast.columns import ANALYSIS_COLUMNS
from mast.reporting.heat_map import draw_heat_map
from mast.reporting.read import Runs, read_table
from mast.reporting.style import WIDTH, save_figure_of

SOURCE = {
    "shows": "masks",
    "reads": "masks",
    "about": "Masks and their overlap between augmentations.",
    "caption": (
        "Masks of the first seed at the end of training: one row per augmentation, one column per embedding dimension. "
        "Dimensions are sorted by the augmentation whose mask closes them most; that a diagonal of closed blocks "
        "appears is due to the sorting. By default most entries are as they were drawn (docs/understand/method.md)."
    ),
}


def draw(runs: Runs, output_stem: Path) -> None:
    """Draw the masks of each run, a row per augmentation and a column per embedding dimension.

    Dimensions are sorted by the augmentation whose mask closes them most, and within it by that mask's weight. Only the
    first seed is drawn: dimensions of different seeds do not correspond.

    Args:
        runs: label → `masks.csv` of each seed. Runs without learned masks are left out.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    masks = {label: _masks(paths[0]) for label, paths in runs.items()}
    save_figure_of(masks, _figure, "None of the runs has learned masks.", output_stem)


def _masks(path: Path) -> pd.DataFrame:
    """Return weights, an augmentation per row in the file's order, a dimension per column."""
    table = read_table(path, ANALYSIS_COLUMNS["masks"])
    wide = table.pivot(index="augmentation", columns="dimension", values="weight")
    return wide.loc[table["augmentation"].unique()]


def sorted_dimensions(weights: np.ndarray) -> np.ndarray:
    """Return weights [K, d] with the dimensions sorted by their lowest row, then by its weight, descending."""
    order = np.lexsort((-weights.min(axis=0), weights.argmin(axis=0)))
    return weights[:, order]


def _figure(masks: dict[str, pd.DataFrame]) -> Figure:
    rows = [len(table) for table in masks.values()]
    figure = Figure(figsize=(WIDTH, 0.3 + sum(0.75 + 0.22 * count for count in rows)))
    axes = figure.subplots(len(masks), 1, squeeze=False, height_ratios=rows)[:, 0]
    for axis, (label, table) in zip(axes, masks.items(), strict=True):
        draw_heat_map(axis, pd.DataFrame(sorted_dimensions(table.to_numpy()), table.index), (0, 1))
        axis.set_title(label)
        axis.set_xlabel("embedding dimension (sorted)")
    figure.colorbar(axis.images[0], ax=list(axes), label="mask weight", fraction=0.04, pad=0.02)
    return figure
