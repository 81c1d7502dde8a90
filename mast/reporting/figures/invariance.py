"""Measured invariance: distance that each augmentation moves the representation, in each space."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mast.columns import ANALYSIS_COLUMNS
from mast.reporting.heat_map import draw_heat_map
from mast.reporting.read import Runs, read_seeds
from mast.reporting.style import WIDTH, save_figure_of

SOURCE = {
    "shows": "invariance",
    "reads": "invariance",
    "about": "How far the representation moves under each augmentation, in the whole space and in each subspace.",
    "caption": (
        "Measured invariance on test images, mean over seeds: how far the representation (scaled to unit length) moves "
        "when one augmentation alone is applied, over the mean distance between two images. 0 is invariant, 1 as far "
        "as to another image. Columns: the encoder's features, the whole embedding, and the subspace that each "
        "augmentation's mask selects; framed is an augmentation in its own subspace. The last column is the control: "
        "the same mask's weights on dimensions drawn at random."
    ),
}

CONTROL = "own, shuffled"
"""Title of the column with an augmentation's own mask on other dimensions."""

LARGEST_SIDE_BY_SIDE = 12
"""Largest number of columns of all runs together with which the runs are drawn side by side."""
LARGEST_WITH_NUMBERS = 18
"""Largest number of columns in one line of panels with which each field shows its value."""


def draw(runs: Runs, output_stem: Path) -> None:
    """Draw a heat map augmentation × space for each run, averaged over seeds, on one scale of colours.

    Spaces are the encoder's features, the embedding and, if masks are learned, the subspace of each augmentation,
    and that of its mask shuffled; the field of an augmentation in its own subspace is framed.

    Args:
        runs: label → `invariance.csv` of each seed. Runs without augmentations are left out.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    matrices = {label: _mean_over_seeds(paths) for label, paths in runs.items()}
    save_figure_of(matrices, _figure, "None of the runs has augmentations.", output_stem)


def _mean_over_seeds(paths: Sequence[Path]) -> pd.DataFrame:
    """Return the relative distance, an augmentation per row and a space per column, in the files' order."""
    table = read_seeds(paths, ANALYSIS_COLUMNS["invariance"])
    mean = table.groupby(["augmentation", "space"], sort=False)["relative"].mean().unstack("space")
    mean = mean.reindex(index=table["augmentation"].unique(), columns=table["space"].unique())
    control = table.groupby("augmentation")["shuffled"].mean()
    return mean if control.isna().all() else mean.assign(**{CONTROL: control})


def _figure(matrices: dict[str, pd.DataFrame]) -> Figure:
    widths, heights = zip(*((matrix.shape[1], matrix.shape[0]) for matrix in matrices.values()), strict=True)
    beside = sum(widths) <= LARGEST_SIDE_BY_SIDE
    inches = 1.6 + 0.32 * (max(heights) if beside else sum(heights)) + (0 if beside else 1.0 * (len(heights) - 1))
    figure = Figure(figsize=(WIDTH, inches))
    shape = (1, len(matrices)) if beside else (len(matrices), 1)
    ratios = {"width_ratios": widths} if beside else {"height_ratios": heights}
    axes = figure.subplots(*shape, squeeze=False, **ratios).flat
    highest = np.ceil(max(float(matrix.max(axis=None)) for matrix in matrices.values()) * 10) / 10
    numbers = (sum(widths) if beside else max(widths)) <= LARGEST_WITH_NUMBERS
    for axis, (label, matrix) in zip(axes, matrices.items(), strict=True):
        _panel(axis, matrix, highest, numbers)
        axis.set_title(label)
    figure.colorbar(axis.images[0], ax=list(figure.axes), label="distance moved ÷\ndistance between images")
    return figure


def _panel(axis: Axes, matrix: pd.DataFrame, highest: float, numbers: bool) -> None:
    draw_heat_map(axis, matrix, (0, highest), numbers=numbers, rotation=45)
    axis.set_xlabel("space")
    axis.set_ylabel("augmentation applied")
    for row, column in zip(*np.nonzero(matrix.index.to_numpy()[:, None] == matrix.columns.to_numpy()), strict=True):
        axis.add_patch(Rectangle((column - 0.47, row - 0.44), 0.94, 0.88, fill=False, edgecolor="#D55E00", lw=2))
