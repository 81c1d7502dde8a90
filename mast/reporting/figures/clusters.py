"""How augmentations relate: hierarchical clustering of their subspaces, and the dimensions that these share."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram, linkage
from scipy.spatial.distance import squareform

from mast.reporting.read import Runs, read_seeds
from mast.reporting.style import COLOURS, WIDTH, save_figure_of

PARTS = {"common": "open for all", "partly": "shared with some", "unique": "unique"}
"""Column of `subspaces.csv` → its name in the legend."""

LARGEST_WITH_NUMBERS = 8
"""Number of augmentations up to which each field shows its value."""


def draw_clusters(runs: Runs, output_stem: Path) -> None:
    """Draw, for each run, a dendrogram of its augmentations, their soft IoU in that order, and their shared dimensions.

    The dendrogram is average linkage on 1 − soft IoU, averaged over seeds; the `overlap.csv` beside each file is read.

    Args:
        runs: label → `subspaces.csv` of each seed. Runs without learned masks, or with a single one, are left out.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    tables = {label: _mean_over_seeds(paths) for label, paths in runs.items()}
    tables = {label: table for label, table in tables.items() if len(table) > 1}
    overlaps = {label: _overlap(runs[label], list(table.index)) for label, table in tables.items()}
    nothing = "None of the runs has several learned masks."
    save_figure_of(tables, lambda found: _figure(found, overlaps), nothing, output_stem)


def merges(overlap: pd.DataFrame) -> np.ndarray:
    """scipy's linkage [K − 1, 4] of augmentations by 1 − soft IoU [K, K]: average linkage, leaves in optimal order."""
    distance = 1 - overlap.to_numpy()
    np.fill_diagonal(distance, 0)
    return linkage(squareform((distance + distance.T) / 2), "average", optimal_ordering=True)


def _mean_over_seeds(paths: Sequence[Path]) -> pd.DataFrame:
    table = read_seeds(paths, ("augmentation", "size", *PARTS))
    return table.groupby("augmentation", sort=False)[list(PARTS)].mean()


def _overlap(paths: Sequence[Path], names: list[str]) -> pd.DataFrame:
    files = [Path(path).with_name("overlap.csv") for path in paths]
    mean = read_seeds(files, ("first", "second", "soft_iou")).groupby(["first", "second"])["soft_iou"].mean()
    return mean.unstack("second").loc[names, names]


def _figure(tables: dict[str, pd.DataFrame], overlaps: dict[str, pd.DataFrame]) -> Figure:
    rows = [len(table) for table in tables.values()]
    figure = Figure(figsize=(WIDTH, sum(1.5 + 0.3 * count for count in rows)))
    axes = figure.subplots(len(rows), 3, squeeze=False, width_ratios=(1, 1.8, 1.5), height_ratios=rows)
    for (tree, heat, bars), (label, table) in zip(axes, tables.items(), strict=True):
        overlap = overlaps[label]
        order = _dendrogram(tree, merges(overlap))
        names = [overlap.index[leaf] for leaf in order]
        _heat_map(heat, overlap.loc[names, names])
        _bars(bars, table.loc[names])
        heat.set_title(f"{label}: overlap (soft IoU)")
        bars.set_title("dimensions of each subspace")
        figure.colorbar(heat.images[0], ax=heat, fraction=0.08, pad=0.03)
    handles, labels = axes[0, 2].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=3)
    return figure


def _dendrogram(axis: Axes, tree: np.ndarray) -> list[int]:
    """Draw it from left (far) to right (near) and return the order of the leaves, from the top."""
    plan = dendrogram(tree, no_plot=True)
    for heights, places in zip(plan["dcoord"], plan["icoord"], strict=True):
        axis.plot(heights, [(place - 5) / 10 for place in places], color="#333333", lw=1.5)
    axis.set_ylim(len(plan["leaves"]) - 0.5, -0.5)
    axis.set_xlim(1.05 * tree[:, 2].max() or 1, 0)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_xlabel("1 − soft IoU")
    return plan["leaves"]


def _heat_map(axis: Axes, matrix: pd.DataFrame) -> None:
    values = matrix.mask(np.eye(len(matrix), dtype=bool))
    low, high = float(values.min(axis=None)), float(values.max(axis=None))
    axis.imshow(values, aspect="auto", cmap="viridis", vmin=low, vmax=high)
    axis.set_facecolor("#eeeeee")
    turned = {"rotation": 45 if len(matrix) <= LARGEST_WITH_NUMBERS else 90, "rotation_mode": "anchor"}
    axis.set_xticks(range(len(matrix)), matrix.columns, ha="right", va="center", **turned)
    axis.set_yticks(range(len(matrix)), matrix.index)
    axis.grid(False)
    if len(matrix) <= LARGEST_WITH_NUMBERS:
        for (row, column), value in np.ndenumerate(values):
            if not np.isnan(value):
                colour = "black" if value > low + 0.6 * (high - low) else "white"
                axis.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour)


def _bars(axis: Axes, table: pd.DataFrame) -> None:
    start = np.zeros(len(table))
    for (part, title), colour in zip(PARTS.items(), COLOURS, strict=False):
        axis.barh(range(len(table)), table[part], left=start, color=colour, label=title, height=0.7)
        start += table[part].to_numpy()
    axis.set_ylim(len(table) - 0.5, -0.5)
    axis.set_yticks([])
    axis.set_xlabel("dimensions (sum of mask weights)")
