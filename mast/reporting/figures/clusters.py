"""Relations between augmentations: hierarchical clustering of their subspaces, and the dimensions that these share."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram, linkage
from scipy.spatial.distance import squareform

from mast.columns import ANALYSIS_COLUMNS
from mast.reporting.heat_map import draw_pairs, without_diagonal
from mast.reporting.read import Runs, read_seeds
from mast.reporting.style import COLOURS, WIDTH, save_figure_of
from mast.results import AnalysisFiles

SOURCE = {
    "shows": "masks",
    "reads": "subspaces",
    "caption": (
        "How augmentations relate, mean over seeds. Left: hierarchical clustering (average linkage) of the subspaces "
        "by one minus their soft intersection over union, which the middle shows in the same order. Right: the "
        "dimensions of each subspace, counted by their mask weights: open in every mask, shared with some, open in "
        "this one alone. Above the middle, and as black borders on the right, is what masks of the same weights would "
        "show whose dimensions are drawn at random."
    ),
}

PARTS = {"common": "open for all", "partly": "shared with some", "unique": "unique"}
"""Column of `subspaces.csv` → its name in the legend."""


def draw(runs: Runs, output_stem: Path) -> None:
    """Draw, for each run, a dendrogram of its augmentations, their soft IoU in that order, and their shared dimensions.

    The dendrogram is average linkage on 1 − soft IoU, averaged over seeds; the `overlap.csv` next to each file is read.

    Args:
        runs: label → `subspaces.csv` of each seed. Runs without learned masks, or with a single one, are left out.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    tables = {label: _mean_over_seeds(paths) for label, paths in runs.items()}
    tables = {label: table for label, table in tables.items() if len(table) > 1}
    overlaps = {label: _overlap(runs[label], list(table.index)) for label, table in tables.items()}
    unrelated = {
        label: without_diagonal(_overlap(runs[label], list(table.index), "soft_iou_chance")).mean(axis=None)
        for label, table in tables.items()
    }
    nothing = "None of the runs has several learned masks."
    save_figure_of(tables, lambda found: _figure(found, overlaps, unrelated), nothing, output_stem)


def merges(overlap: pd.DataFrame) -> np.ndarray:
    """Return scipy's linkage [K − 1, 4] of augmentations by 1 − soft IoU [K, K]: average linkage, optimal order."""
    distance = 1 - overlap.to_numpy()
    np.fill_diagonal(distance, 0)
    return linkage(squareform((distance + distance.T) / 2), "average", optimal_ordering=True)


def _mean_over_seeds(paths: Sequence[Path]) -> pd.DataFrame:
    table = read_seeds(paths, ANALYSIS_COLUMNS["subspaces"])
    columns = [*PARTS, *(f"{part}_chance" for part in PARTS)]
    return table.groupby("augmentation", sort=False)[columns].mean()


def _overlap(paths: Sequence[Path], names: list[str], measure: str = "soft_iou") -> pd.DataFrame:
    files = [AnalysisFiles(Path(path).parent).table("overlap") for path in paths]
    mean = read_seeds(files, ANALYSIS_COLUMNS["overlap"]).groupby(["first", "second"])[measure].mean()
    return mean.unstack("second").loc[names, names]


def _figure(tables: dict[str, pd.DataFrame], overlaps: dict[str, pd.DataFrame], unrelated: dict[str, float]) -> Figure:
    rows = [len(table) for table in tables.values()]
    figure = Figure(figsize=(WIDTH, sum(1.5 + 0.3 * count for count in rows)))
    axes = figure.subplots(len(rows), 3, squeeze=False, width_ratios=(1, 1.8, 1.5), height_ratios=rows)
    for (tree, heat, bars), (label, table) in zip(axes, tables.items(), strict=True):
        overlap = overlaps[label]
        order = _dendrogram(tree, merges(overlap))
        names = [overlap.index[leaf] for leaf in order]
        pairs = without_diagonal(overlap.loc[names, names])
        draw_pairs(heat, pairs, (float(pairs.min(axis=None)), float(pairs.max(axis=None))), aspect="auto")
        _bars(bars, table.loc[names])
        heat.set_title(f"{label}: overlap (soft IoU)\nmasks at random: {unrelated[label]:.2f}")
        bars.set_title("dimensions of each subspace")
        figure.colorbar(heat.images[0], ax=heat, fraction=0.08, pad=0.03)
    handles, labels = axes[0, 2].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=4)
    return figure


def _dendrogram(axis: Axes, tree: np.ndarray) -> list[int]:
    """Draw the dendrogram from left (far) to right (near) and return the order of the leaves, from the top."""
    plan = dendrogram(tree, no_plot=True)
    for heights, places in zip(plan["dcoord"], plan["icoord"], strict=True):
        axis.plot(heights, [(place - 5) / 10 for place in places], color="#333333", lw=1.5)
    axis.set_ylim(len(plan["leaves"]) - 0.5, -0.5)
    axis.set_xlim(1.05 * tree[:, 2].max() or 1, 0)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_xlabel("1 − soft IoU")
    return plan["leaves"]


def _bars(axis: Axes, table: pd.DataFrame) -> None:
    start = np.zeros(len(table))
    for (part, title), colour in zip(PARTS.items(), COLOURS, strict=False):
        axis.barh(range(len(table)), table[part], left=start, color=colour, label=title, height=0.7)
        start += table[part].to_numpy()
    places = np.arange(len(table))
    for border in (table["common_chance"], table["common_chance"] + table["partly_chance"]):
        axis.vlines(border, places - 0.35, places + 0.35, color="black", lw=1.5)
    axis.plot([], [], color="black", lw=1.5, label="masks at random")
    axis.set_ylim(len(table) - 0.5, -0.5)
    axis.set_yticks([])
    axis.set_xlabel("dimensions (sum of mask weights)")
