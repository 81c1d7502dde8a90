"""How often an image's other view is found by the learned representations, by pixels, and by colours alone."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mast.columns import ANALYSIS_COLUMNS
from mast.reporting.read import Runs, read_seeds
from mast.reporting.statistics import estimate
from mast.reporting.style import WIDTH, point_style, save_figure_of

SOURCE = {
    "shows": "retrieval",
    "reads": "retrieval",
    "about": "How often an image's other view is found by what a run learned, by pixels and by colours alone.",
    "caption": (
        "Do shortcuts solve the instance task? Share of 512 images (or as many as the data have) whose nearest second "
        "view, of all images' second views, is their own: by the embedding and the features of the run, and without it "
        "by the view at 8 × 8 pixels and by statistics of its colours. Views are those of the run's augmentations; "
        "distances are cosines after linear discriminant whitening, estimated on other images. Points are means over "
        "seeds, bars 95 % intervals (none for one seed); pixels and colours are the same for every seed. Dashed is "
        "chance."
    ),
}

NAMES = {
    "embedding": "embedding (projector)",
    "features": "features (encoder)",
    "pixels": "8 × 8 pixels",
    "colour": "colour statistics",
}
"""Representation → name in the legend."""
BESIDE = 0.02
"""Space left of 0, as a share of the axis; without it the axis would hide the line of chance."""
SPREAD = 0.5
"""Height of the points of one run, as a share of the distance between runs."""


def draw(runs: Runs, output_stem: Path) -> None:
    """Draw a line per run, a point per representation: mean over seeds with its 95 % interval (none for one seed).

    Chance, one divided by the number of searched images, is dashed.

    Args:
        runs: label → `retrieval.csv` of each seed. Runs without augmentations are left out.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    tables = {label: read_seeds(paths, ANALYSIS_COLUMNS["retrieval"]) for label, paths in runs.items()}
    save_figure_of(tables, _figure, "None of the runs has augmentations.", output_stem)


def _figure(tables: dict[str, pd.DataFrame]) -> Figure:
    figure = Figure(figsize=(WIDTH, 1.3 + 0.5 * len(tables)))
    axis = figure.subplots()
    every = pd.concat(tables.values())
    for place, (name, title) in enumerate(NAMES.items()):
        if name in set(every["representation"]):
            shift = SPREAD * (place / (len(NAMES) - 1) - 0.5)
            _points(axis, tables, name, shift, {**point_style(place), "label": title})
    for number, images in enumerate(sorted(every["images"].unique())):
        axis.axvline(100 / images, color="black", ls="--", lw=1, label=None if number else "chance")
    axis.set_yticks(range(len(tables)), tables)
    axis.set_ylim(len(tables) - 0.5, -0.5)
    axis.set_xlim(left=-BESIDE * axis.get_xlim()[1])
    axis.set_xlabel("images whose other view is the nearest of all, percent")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def _points(axis: Axes, tables: dict[str, pd.DataFrame], name: str, shift: float, style: dict[str, object]) -> None:
    found = [estimate(table.loc[table["representation"] == name, "top1"]) for table in tables.values()]
    rows = [row + shift for row in range(len(found))]
    axis.errorbar([own.mean for own in found], rows, xerr=[own.interval for own in found], capsize=2, **style)
