"""Version 2 of the embedded benchmark `shapes`: the same six tasks, none of which depends on chance.

In version 1 it is a matter of chance whether an encoder learns texture, and some backgrounds hardly show their light.
Here textures are coarse and have high contrast, and every background is clearly brighter on one side. Glyphs are nearer
to the middle, where a crop rarely loses them. The backgrounds differ less, so that they identify an image less. Jitter
and grayscale erase `hue`, flips exchange the two classes of `facing` and of `light`; no augmentation of `mast5` erases
`shape`, `texture` and `size`.
"""

import numpy as np

from mast.data.embedded.glyphs import Glyphs, coverage, finish, gradients, paint
from mast.data.embedded.shapes import MAX_ANGLE, TARGETS, glyph_colours, uniform_draws

VERSION = 2
"""Version of the generator. Images of one version never change."""

SIDES: tuple[float, ...] = (0.5, 0.6, 0.72, 0.86)
"""Side of a glyph of each size class, as a share of the image's side."""

TEXTURE_PERIOD = 1 / 6
"""Period of the textures, as a share of the image's side."""

DARK_TONE = 0.15
"""Brightness of the textures' dark tone, as a share of the bright one's."""

MIDDLE, ACROSS, DOWN = (0.45, 0.65), (0.1, 0.2), (-0.15, 0.15)
"""Ranges of the background: grey level in the middle, difference between its sides, and from top to bottom."""

ROOM = 0.5
"""Share of the free space, on either side of the middle, in which glyphs are placed."""

_STREAMS = {"train": 4, "test": 5}  # version 1 draws from 0 and 1, `shapes-scenes` from 2 and 3
_SCALARS = 16
_LABELS = slice(0, len(TARGETS))


def render(count: int, size: int, seed: int, split: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """Draw the first `count` images of a split. Image i depends on (size, seed, split, i) only, not on `count`.

    Args:
        count: number of images, N.
        size: side of the square images, pixels.
        seed: seed of the benchmark.
        split: `train` or `test`.

    Returns:
        images uint8 [N, size, size, 3] and labels int64 [N, 6], one column for each of TARGETS.
    """
    draws, noise = uniform_draws(seed, _STREAMS[split], range(count), _SCALARS, size)
    labels = _labels(draws)
    shape, hue, facing, texture, size_class, light = labels.T
    turn, x, y, phase, saturation, value, middle, across, down, tint_hue = draws[:, _LABELS.stop :].T

    side = np.array(SIDES)[size_class] * size
    room = ROOM * np.maximum(size - side, 0.04 * size) / 2
    glyphs = Glyphs(
        shape=shape,
        texture=texture,
        mirrored=facing == 1,
        side=side,
        angle=MAX_ANGLE * (2 * turn - 1),
        x=size / 2 + room * (2 * x - 1),
        y=size / 2 + room * (2 * y - 1),
        phase=phase,
    )
    steps = _between(ACROSS, across) * np.where(light == 1, 1, -1)
    images = gradients(_between(MIDDLE, middle), steps, _between(DOWN, down), tint_hue, np.ones(count), size)
    bright, dark = coverage(glyphs, size, TEXTURE_PERIOD * size)
    paint(images, bright, dark, glyph_colours(hue, saturation, value), DARK_TONE)
    return finish(images, noise, np.full(count, 0.08)), labels


def draw_labels(count: int, seed: int, split: str = "train") -> np.ndarray:
    """Return the labels of `render`, without the images."""
    return _labels(uniform_draws(seed, _STREAMS[split], range(count), _SCALARS, size=0)[0])


def _labels(draws: np.ndarray) -> np.ndarray:
    return (draws[:, _LABELS] * [len(names) for names in TARGETS.values()]).astype(np.int64)


def _between(bounds: tuple[float, float], draws: np.ndarray) -> np.ndarray:
    low, high = bounds
    return low + (high - low) * draws
