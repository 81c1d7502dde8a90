"""Pairs of views as runs train on them, with the augmentations in which each pair differs."""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mast.reporting.read import Runs, read_arrays
from mast.reporting.style import WIDTH, save_figure_of

SOURCE = {
    "shows": "views",
    "reads": "pairs",
    "about": "Pairs of views as a run trains on them.",
    "caption": (
        "Training images (left of each three) and two views of each, as the run draws them. Above: the augmentations "
        "that differ between the two views; all others do the same to both."
    ),
}

COLUMNS = 2
"""Number of pairs next to each other."""

LETTERS = 72
"""Number of letters in a line below a pair."""

Pairs = dict[str, np.ndarray]


def draw(runs: Runs, output_stem: Path) -> None:
    """Draw the pairs of each run's first seed.

    Args:
        runs: label → `pairs.npz` of each seed. Runs without augmentations are left out.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    draw_pairs({label: _read(Path(paths[0])) for label, paths in runs.items()}, output_stem)


def draw_pairs(found: dict[str, Pairs], output_stem: Path) -> None:
    """Draw pairs by the label of their run; the arrays are described in docs/use/formats.md, *Analysis*."""
    found = {label: pairs for label, pairs in found.items() if len(pairs["images"])}
    save_figure_of(found, _figure, "None of the runs has augmentations.", output_stem)


def _read(path: Path) -> Pairs:
    return read_arrays(path, ("images", "a", "b", "active", "names"))


def _figure(found: dict[str, Pairs]) -> Figure:
    lines = {label: -(-len(pairs["images"]) // COLUMNS) for label, pairs in found.items()}
    figure = Figure(figsize=(WIDTH, 1.72 * sum(lines.values()) + 0.3 * len(found)))
    for part, (label, pairs) in zip(_parts(figure, list(lines.values())), found.items(), strict=True):
        part.suptitle(label, x=0.01, ha="left", fontsize="medium", fontweight="bold")
        axes = list(part.subplots(lines[label], COLUMNS, squeeze=False).flat)
        for axis in axes:
            axis.set_axis_off()
        for position, axis in zip(range(len(pairs["images"])), axes, strict=False):
            _draw(axis, pairs, position)
    return figure


def _parts(figure: Figure, heights: list[int]) -> list[Figure]:
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
    return list(parts[:, 0])


def _draw(axis: Axes, pairs: Pairs, position: int) -> None:
    shown = [pairs[name][position] for name in ("images", "a", "b") if len(pairs[name])]
    side = shown[0].shape[0]
    parts = [part for image in shown for part in (image, np.full((side, max(1, side // 16), 3), 255, np.uint8))]
    axis.imshow(np.concatenate([*parts, parts[-1]], axis=1), interpolation="none")
    axis.set_title(_difference(pairs, position), fontsize="small")


def _difference(pairs: Pairs, position: int) -> str:
    if not len(pairs["b"]):
        return "one view of each image"
    active, names = pairs["active"][position], pairs["names"]
    if active.all():
        return "differ in all augmentations"
    if not active.any():
        return "do not differ"
    words = [name.replace("_", " ") for name in names[active]]
    return textwrap.fill(f"differ in {', '.join(words)}", LETTERS)
