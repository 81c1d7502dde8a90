"""Drawing of glyphs: eight chunky letters and flags, filled with one of four textures, on grey backgrounds."""

from dataclasses import dataclass

import numpy as np

_DRAWINGS = {
    "L": "##.... ##.... ##.... ##.... ###### ######",
    "F": "###### ###### ##.... #####. #####. ##....",
    "P": "###### ##..## ##..## ###### ##.... ##....",
    "S": "####.. ####.. ..##.. ..##.. ..#### ..####",
    "7": "###### ###### ...### ..###. .###.. .##...",
    "h": "##.... ##.... ###### ###### ##..## ##..##",
    "flag": "####.. ###### ####.. ##.... ##.... ##....",
    "G": "###### ###### ##.... ##..## ##..## ######",
}
GLYPHS: tuple[str, ...] = tuple(_DRAWINGS)
"""Names of the glyphs. No glyph is its own mirror image, or the mirror image of another."""

BITMAPS: np.ndarray = np.array([[list(row) for row in drawing.split()] for drawing in _DRAWINGS.values()]) == "#"
"""bool [8, 6, 6]: cells that each glyph fills, top row first."""

TEXTURES: tuple[str, ...] = ("plain", "rows", "columns", "checks")
"""Names of the textures. A texture is drawn in two tones of one colour; `plain` has the bright one only."""

DARK_TONE = 0.35
"""Brightness of the dark tone, as a share of the bright one's, unless a benchmark sets another."""

SUPERSAMPLING = 3
"""Number of samples along each side of a pixel."""

_CHUNK_SAMPLES = 200_000


@dataclass(frozen=True)
class Glyphs:
    """N glyphs, one per canvas; every field is an array [N]. Lengths and positions are in pixels."""

    shape: np.ndarray
    """int, index into GLYPHS"""
    texture: np.ndarray
    """int, index into TEXTURES"""
    mirrored: np.ndarray
    """bool"""
    side: np.ndarray
    """float, side of the square that the glyph fills"""
    angle: np.ndarray
    """float, radians"""
    x: np.ndarray
    """float, centre, from the left edge of the canvas"""
    y: np.ndarray
    """float, centre, from the top edge of the canvas"""
    phase: np.ndarray
    """float in [0, 1), shift of the texture, periods"""

    def __getitem__(self, rows: slice) -> "Glyphs":
        """Return the glyphs of some rows."""
        return Glyphs(**{name: values[rows] for name, values in vars(self).items()})


def coverage(glyphs: Glyphs, canvas: int, period: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of each pixel that a glyph covers in its bright tone, and in its dark tone.

    Args:
        glyphs: N glyphs.
        canvas: side of the square canvases, pixels.
        period: period of the textures, pixels.

    Returns:
        Two float32 arrays [N, canvas, canvas] in [0, 1], whose sum is at most 1.
    """
    count = len(glyphs.shape)
    bright, dark = np.empty((2, count, canvas, canvas), np.float32)
    step = max(1, _CHUNK_SAMPLES // (canvas * SUPERSAMPLING) ** 2)
    for start in range(0, count, step):
        rows = slice(start, start + step)
        bright[rows], dark[rows] = _coverage(glyphs[rows], canvas, period)
    return bright, dark


def _coverage(glyphs: Glyphs, canvas: int, period: float) -> tuple[np.ndarray, np.ndarray]:
    def per_canvas(values: np.ndarray) -> np.ndarray:
        return np.asarray(values, np.float32)[:, None, None]

    samples = (np.arange(canvas * SUPERSAMPLING, dtype=np.float32) + 0.5) / SUPERSAMPLING
    across, down = samples - per_canvas(glyphs.x), samples[:, None] - per_canvas(glyphs.y)
    cos, sin = per_canvas(np.cos(glyphs.angle)), per_canvas(np.sin(glyphs.angle))
    across, down = cos * across + sin * down, cos * down - sin * across
    across *= per_canvas(np.where(glyphs.mirrored, -1, 1))

    cells = BITMAPS.shape[1]
    column, row = (np.floor((axis / per_canvas(glyphs.side) + 0.5) * cells) for axis in (across, down))
    padded = np.pad(BITMAPS, ((0, 0), (1, 1), (1, 1)))
    column, row = (np.clip(index, -1, cells).astype(np.intp) + 1 for index in (column, row))
    inside = padded[np.asarray(glyphs.shape)[:, None, None], row, column]

    phase, texture = per_canvas(glyphs.phase), np.asarray(glyphs.texture)[:, None, None]
    dark_row, dark_column = (np.floor(2 * (axis / period + phase)).astype(np.int32) & 1 for axis in (down, across))
    dark = inside & (((dark_row & (texture & 1)) ^ (dark_column & (texture >> 1))) == 1)
    return pool(inside & ~dark), pool(dark)


def pool(samples: np.ndarray) -> np.ndarray:
    """Average the samples of each pixel: bool [N, SUPERSAMPLING · S, SUPERSAMPLING · S] → float32 [N, S, S]."""
    steps = range(SUPERSAMPLING)
    total = sum(samples[:, i::SUPERSAMPLING, j::SUPERSAMPLING].view(np.uint8) for i in steps for j in steps)
    return total.astype(np.float32) / SUPERSAMPLING**2


def paint(
    images: np.ndarray, bright: np.ndarray, dark: np.ndarray, colour: np.ndarray, dark_tone: float = DARK_TONE
) -> None:
    """Draw covered pixels onto float images [N, H, W, 3], in place, in a colour [N, 3] and its dark tone."""
    images *= (1 - bright - dark)[..., None]
    images += (bright + dark_tone * dark)[..., None] * colour[:, None, None, :].astype(images.dtype)


def colours(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Convert HSV in [0, 1], each [N] (hue is taken modulo 1), to RGB in [0, 1], float [N, 3]."""
    offsets = (np.asarray(hue)[:, None] * 6 + np.array([5, 3, 1])) % 6
    return value[:, None] * (1 - saturation[:, None] * np.clip(np.minimum(offsets, 4 - offsets), 0, 1))


def backgrounds(draws: np.ndarray, canvas: int) -> np.ndarray:
    """Return nearly grey gradients. Their HSV saturation is at most 0.05, so that colour does not identify the
    instance.

    Args:
        draws: float [N, 5], uniform in [0, 1): grey levels at the two ends, direction, hue and strength of the tint.
        canvas: side of the square images, pixels.

    Returns:
        float32 [N, canvas, canvas, 3] in [0, 1].
    """
    first, second, turn, hue, tint = draws.T
    low, high = 0.25 + 0.6 * first, 0.25 + 0.6 * second
    across = (high - low) / np.sqrt(2) * np.cos(2 * np.pi * turn)
    down = (high - low) / np.sqrt(2) * np.sin(2 * np.pi * turn)
    return gradients((low + high) / 2, across, down, hue, tint, canvas)


def gradients(
    middle: np.ndarray, across: np.ndarray, down: np.ndarray, hue: np.ndarray, tint: np.ndarray, canvas: int
) -> np.ndarray:
    """Return planes of grey, tinted to an HSV saturation of 0.05 · `tint`.

    Args:
        middle: float [N], grey level in the middle.
        across: float [N], brightness of the right edge minus that of the left one.
        down: float [N], brightness of the lower edge minus that of the upper one.
        hue: float [N], hue of the tint.
        tint: float [N] in [0, 1], strength of the tint.
        canvas: side of the square images, pixels.

    Returns:
        float32 [N, canvas, canvas, 3].
    """
    middle, across, down = (values.astype(np.float32)[:, None, None] for values in (middle, across, down))
    axis = (np.arange(canvas, dtype=np.float32) + 0.5) / canvas - 0.5
    level = middle + across * axis + down * axis[:, None]
    tinted = colours(hue, 0.05 * tint, np.ones_like(hue)).astype(np.float32)
    return level[..., None] * tinted[:, None, None, :]


def brightness_to_the_right(draws: np.ndarray) -> np.ndarray:
    """Return the brightness increase towards the right in `backgrounds` of the same draws, float [N] in (-1, 1)."""
    first, second, turn, _, _ = draws.T
    return (second - first) * np.cos(2 * np.pi * turn)


def finish(images: np.ndarray, noise: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Add grey noise in proportion to brightness, and round to whole levels.

    Args:
        images: float [N, H, W, 3] in [0, 1].
        noise: float [N, H, W], uniform in [0, 1).
        strength: float [N], greatest relative change of a pixel.

    Returns:
        uint8 [N, H, W, 3].
    """
    gain = 1 + strength[:, None, None] * (2 * noise - 1)
    return np.rint(255 * np.clip(images * gain[..., None].astype(images.dtype), 0, 1)).astype(np.uint8)
