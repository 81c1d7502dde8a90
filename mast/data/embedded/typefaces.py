"""The embedded benchmark `typefaces`: one printed letter per image, with five factors drawn independently and
uniformly.

The letters were not drawn for this project. Each factor is a task, and needs different invariances: jitter and
grayscale change `colour`, the ink's; shear and rotation change `slant`; blur changes `weight`. Position, size, the tone
of the ink, and the paper with its tint, shade and grain are nuisance factors (docs/understand/instrument.md).
"""

import numpy as np

from mast.data.embedded.glyphs import SUPERSAMPLING, colours, finish, gradients, pool
from mast.data.embedded.letters import CELLS, CHARACTERS, FONTS, bitmaps
from mast.data.embedded.shapes import TARGETS as SHAPES_TARGETS
from mast.data.embedded.shapes import uniform_draws

VERSION = 1
"""Version of the generator. Images of one version never change."""

TARGETS: dict[str, tuple[str, ...]] = {
    "character": CHARACTERS,
    "family": tuple(FONTS),
    "weight": ("regular", "bold"),
    "slant": ("upright", "slanted"),
    "colour": SHAPES_TARGETS["hue"],
}
"""Class names of each target, in the order of the label columns."""

EM = (0.8, 1.15)
"""Range of the em, as a share of the image's side. A capital letter is about 0.7 em high."""

REACH = 0.08
"""Largest distance of letters from the middle along each axis, as a share of the image's side."""

_STREAMS = {"train": 6, "test": 7}  # `shapes` draws from 0, 1, 4 and 5, `shapes-scenes` from 2 and 3
_LABELS, _SCALARS = slice(0, len(TARGETS)), 16


def render(count: int, size: int, seed: int, split: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """Draw the first `count` images of a split. Image i depends on (size, seed, split, i) only, not on `count`.

    Args:
        count: number of images, N.
        size: side of the square images, pixels.
        seed: seed of the benchmark.
        split: `train` or `test`.

    Returns:
        images uint8 [N, size, size, 3] and labels int64 [N, 5], one column for each of TARGETS.

    Raises:
        MastError: matplotlib's fonts are missing or different.
    """
    draws, noise = uniform_draws(seed, _STREAMS[split], range(count), _SCALARS, size)
    labels = _labels(draws)
    character, family, weight, slant, colour = labels.T
    em, x, y, saturation, value, shade, across, down, tint_hue, tint, grain = draws[:, _LABELS.stop :].T

    images = gradients(0.75 + 0.15 * shade, 0.12 * (across - 0.5), 0.12 * (down - 0.5), tint_hue, tint, size)
    letters = np.ravel_multi_index((family, weight, slant, character), bitmaps().shape[:4])
    covered = _coverage(letters, EM[0] + (EM[1] - EM[0]) * em, REACH * (2 * x - 1), REACH * (2 * y - 1), size)
    ink = colours(colour / len(TARGETS["colour"]), 0.75 + 0.2 * saturation, 0.35 + 0.2 * value)
    images *= (1 - covered)[..., None]
    images += covered[..., None] * ink[:, None, None, :].astype(images.dtype)
    return finish(images, noise, 0.03 + 0.09 * grain), labels


def draw_labels(count: int, seed: int, split: str = "train") -> np.ndarray:
    """Return the labels of `render`, without the images."""
    return _labels(uniform_draws(seed, _STREAMS[split], range(count), _SCALARS, size=0)[0])


def _labels(draws: np.ndarray) -> np.ndarray:
    return (draws[:, _LABELS] * [len(names) for names in TARGETS.values()]).astype(np.int64)


def _coverage(letters: np.ndarray, em: np.ndarray, x: np.ndarray, y: np.ndarray, size: int) -> np.ndarray:
    """Return the share of each pixel that is inked.

    Args:
        letters: int [N], indices of bitmaps.
        em: float [N], side of the em square, as a share of the image's side; `x`, `y`: offset of its middle from the
            image's.
        size: side of the square images, pixels.

    Returns:
        float32 [N, size, size] in [0, 1].
    """
    samples = (np.arange(size * SUPERSAMPLING) + 0.5) / (size * SUPERSAMPLING) - 0.5
    drawn = np.pad(bitmaps().reshape(-1, CELLS, CELLS), ((0, 0), (1, 1), (1, 1)))
    columns, rows = (
        np.clip(np.floor(((samples - middle[:, None]) / em[:, None] + 0.5) * CELLS), -1, CELLS).astype(np.intp) + 1
        for middle in (x, y)
    )
    covered = np.empty((len(letters), size, size), np.float32)
    for image, (letter, row, column) in enumerate(zip(letters, rows, columns, strict=True)):
        covered[image] = pool(drawn[letter][np.ix_(row, column)][None])[0]
    return covered
