"""Images of which a run is most and least certain."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mast.reporting.read import Runs, read_arrays
from mast.reporting.style import WIDTH, save_figure_of

SOURCE = {
    "shows": "uncertainty",
    "reads": "extremes",
    "caption": "Test images of lowest (left) and highest (right) predicted uncertainty, first seed.",
}

TITLES = ("most certain", "least certain")
SIDE = 4
"""Number of images in a row of each grid."""

Extremes = tuple[np.ndarray, np.ndarray]


def draw(runs: Runs, output_stem: Path) -> None:
    """Draw, for each run's first seed, the images of lowest and of highest predicted σ.

    Args:
        runs: label → `extremes.npz` of each seed. Runs without an uncertainty head are left out.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    ends = {label: _read(Path(paths[0])) for label, paths in runs.items()}
    ends = {label: own for label, own in ends.items() if own[1].size}
    save_figure_of(ends, _figure, "None of the runs predicts uncertainty.", output_stem)


def _read(path: Path) -> Extremes:
    """Read images uint8 [2, E, S, S, 3] and σ [2, E]."""
    arrays = read_arrays(path, ("images", "sigma"))
    return arrays["images"], arrays["sigma"]


def _figure(ends: dict[str, Extremes]) -> Figure:
    figure = Figure(figsize=(WIDTH, 4.5 * len(ends)))
    parts = figure.subfigures(len(ends), 1, squeeze=False)[:, 0]
    for part, (label, (images, sigma)) in zip(parts, ends.items(), strict=True):
        part.suptitle(label, x=0.01, ha="left", fontsize="medium", fontweight="bold")
        for axis, title, own, values in zip(part.subplots(1, 2), TITLES, images, sigma, strict=True):
            axis.imshow(grid(own), interpolation="nearest")
            axis.set_title(f"{title}: predicted σ {values.min():.3f} to {values.max():.3f}")
            axis.axis("off")
    return figure


def grid(images: np.ndarray) -> np.ndarray:
    """Arrange images [E, S, S, 3] in rows of `SIDE`, with white lines between them, uint8 [·, ·, 3]."""
    gap = max(1, images.shape[1] // 16)
    lines = -(-len(images) // SIDE)
    padded = np.full((lines * SIDE, *(side + gap for side in images.shape[1:3]), 3), 255, np.uint8)
    padded[: len(images), : images.shape[1], : images.shape[2]] = images
    height, width = padded.shape[1:3]
    return padded.reshape(lines, SIDE, height, width, 3).swapaxes(1, 2).reshape(lines * height, SIDE * width, 3)
