"""Heat maps with named rows and columns, used by several figures."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from mast.reporting.paired import signed

LARGEST_WITH_NUMBERS = 8
"""Largest number of rows and columns with which each field of a square matrix shows its value."""


def draw_heat_map(
    axis: Axes,
    matrix: pd.DataFrame,
    limits: tuple[float, float],
    *,
    aspect: str = "auto",
    numbers: bool = False,
    rotation: float | None = None,
) -> None:
    """Draw a matrix with the names of its rows; NaN fields stay empty.

    Args:
        axis: axes to draw in; the image is then `axis.images[0]`.
        matrix: float [rows, columns].
        limits: values at the ends of the colours.
        aspect: aspect of a field, as in matplotlib: `equal` or `auto`.
        numbers: whether each field shows its value.
        rotation: rotation of the columns' names, degrees; None for columns without names.
    """
    low, high = limits
    axis.imshow(matrix, aspect=aspect, interpolation="nearest", cmap="viridis", vmin=low, vmax=high)
    if rotation is not None:
        turned = {"rotation": rotation, "rotation_mode": "anchor", "ha": "right", "va": "center"}
        axis.set_xticks(range(matrix.shape[1]), matrix.columns, **turned)
    axis.set_yticks(range(len(matrix)), matrix.index)
    axis.grid(False)
    for (row, column), value in np.ndenumerate(matrix):
        if numbers and not np.isnan(value):
            colour = "black" if value > low + 0.6 * (high - low) else "white"
            axis.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour)


def draw_differences(axis: Axes, matrix: pd.DataFrame, is_bold: pd.DataFrame, full: float, size: float) -> None:
    """Draw a matrix of differences with its numbers, gains blue and losses red, and the names of its rows.

    Args:
        axis: axes to draw in; names of columns belong above it.
        matrix: float [rows, columns]; NaN fields are grey.
        is_bold: bool [rows, columns], whether a number is bold.
        full: difference from which on the colour is the same.
        size: size of the numbers, points.
    """
    ends = 1.6 * full  # the darkest colours, on which black is hard to read, stay unused
    axis.imshow(matrix.clip(-full, full), aspect="auto", interpolation="nearest", cmap="RdBu", vmin=-ends, vmax=ends)
    axis.set_yticks(range(len(matrix)), matrix.index)
    axis.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axis.spines[:].set_visible(False)
    axis.grid(False)
    for (row, column), value in np.ndenumerate(matrix):
        axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=np.isnan(value), fc="#eeeeee", ec="white"))
        if not np.isnan(value):
            weight = {"weight": "bold"} if is_bold.iat[row, column] else {"color": "#444444"}
            axis.text(column, row, signed(value), ha="center", va="center", size=size, **weight)


def draw_pairs(axis: Axes, matrix: pd.DataFrame, limits: tuple[float, float], aspect: str) -> None:
    """Draw a square matrix of pairs, NaN on its diagonal, on grey; large ones have no numbers, names are upright."""
    small = len(matrix) <= LARGEST_WITH_NUMBERS
    axis.set_facecolor("#eeeeee")
    draw_heat_map(axis, matrix, limits, aspect=aspect, numbers=small, rotation=45 if small else 90)


def without_diagonal(matrix: pd.DataFrame) -> pd.DataFrame:
    """Return a square matrix with NaN on its diagonal."""
    return matrix.mask(np.eye(len(matrix), dtype=bool))
