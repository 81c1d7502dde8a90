"""The embedded benchmark `shapes`: one glyph per image, with six factors drawn independently and uniformly.

Each factor is a classification task, and each task needs different invariances: colour jitter hurts `hue`, flips hurt
`facing` and `light`, crops hurt `size`, and blur hurts `texture`. Nuisance factors are position, a small rotation,
brightness, saturation, and the grey background apart from the side of its light.

This is version 1 of the generator; `shapes_2` is version 2.
"""

import numpy as np

from mast.data.embedded.glyphs import (
    GLYPHS,
    TEXTURES,
    Glyphs,
    backgrounds,
    brightness_to_the_right,
    colours,
    coverage,
    finish,
    paint,
)

VERSION = 1
"""Version of the generator. Images of one version never change."""

TARGETS: dict[str, tuple[str, ...]] = {
    "shape": GLYPHS,
    "hue": ("red", "orange", "lime", "green", "cyan", "blue", "violet", "magenta"),
    "facing": ("original", "mirrored"),
    "texture": TEXTURES,
    "size": ("small", "medium", "large", "huge"),
    "light": ("left", "right"),
}
"""Class names of each target, in the order of the label columns. `light` is the brighter side of the background."""

SIDES: tuple[float, ...] = (0.42, 0.54, 0.68, 0.86)
"""Side of a glyph of each size class, as a share of the image's side."""

TEXTURE_PERIOD = 1 / 8
"""Period of the textures, as a share of the image's side."""

MAX_ANGLE = np.pi / 15
"""Rotations are drawn between minus and plus this angle (12°)."""

_SPLITS = ("train", "test")
_SCALARS = 16
_GLYPH_TARGETS, _BACKGROUND = slice(0, 5), slice(11, 16)
"""Slices of an image's draws for the glyph's targets, and for its background."""


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
    draws, noise = uniform_draws(seed, _SPLITS.index(split), range(count), _SCALARS, size)
    labels = _labels(draws)
    shape, hue, facing, texture, size_class, _ = labels.T
    nuisance = draws[:, _GLYPH_TARGETS.stop : _BACKGROUND.start].T

    side = np.array(SIDES)[size_class] * size
    room = np.maximum(size - side, 0.04 * size) / 2
    glyphs = Glyphs(
        shape=shape,
        texture=texture,
        mirrored=facing == 1,
        side=side,
        angle=MAX_ANGLE * (2 * nuisance[0] - 1),
        x=size / 2 + room * (2 * nuisance[1] - 1),
        y=size / 2 + room * (2 * nuisance[2] - 1),
        phase=nuisance[3],
    )
    images = backgrounds(draws[:, _BACKGROUND], size)
    paint(images, *coverage(glyphs, size, TEXTURE_PERIOD * size), glyph_colours(hue, nuisance[4], nuisance[5]))
    return finish(images, noise, np.full(count, 0.08)), labels


def draw_labels(count: int, seed: int, split: str = "train") -> np.ndarray:
    """Return the labels of `render`, without the images."""
    return _labels(uniform_draws(seed, _SPLITS.index(split), range(count), _SCALARS, size=0)[0])


def _labels(draws: np.ndarray) -> np.ndarray:
    of_glyph = draws[:, _GLYPH_TARGETS]
    classes = np.array([len(names) for names in TARGETS.values()][_GLYPH_TARGETS])
    from_the_right = brightness_to_the_right(draws[:, _BACKGROUND]) > 0
    return np.column_stack([(of_glyph * classes).astype(np.int64), from_the_right])


def glyph_colours(hue_class: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return RGB in [0, 1], float [N, 3], of a hue class [N] and two draws from [0, 1), each [N]."""
    return colours(hue_class / len(TARGETS["hue"]), 0.75 + 0.2 * saturation, 0.8 + 0.2 * value)


def uniform_draws(seed: int, stream: int, items: range, scalars: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return uniform draws from [0, 1) for each item, from the item's own generator.

    Returns:
        float64 [N, scalars] and float32 [N, size, size], the pixel noise.
    """
    draws, noise = np.empty((len(items), scalars)), np.empty((len(items), size, size), np.float32)
    for row, item in enumerate(items):
        generator = np.random.Generator(np.random.PCG64([seed, stream, item]))
        generator.random(out=draws[row])
        generator.random(out=noise[row], dtype=np.float32)
    return draws, noise
