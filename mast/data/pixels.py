"""Conversion of pixels of any mode and depth to RGB of 8 bits, with the values that become 0 and 255."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mast.settings import FULL, MINMAX, PixelRange

NARROW = 1 / 10
"""An image of more than 8 bits gets a note if it uses less than this share of its range."""

_OTHER_BYTE = {"16B": "16L", "16L": "16B", "16N": "16B"}
"""Raw mode that makes Pillow's decoder keep the lower byte of 16-bit colour values: the other byte order. By default
Pillow keeps the upper byte.
"""

Noted = tuple[Image.Image, frozenset[str]]


def stored_mode(image: Image.Image) -> str:
    """Return how an opened file stores its pixels, in Pillow's terms, such as `RGB;16B`; "" if its reader does not
    tell.

    This works only before the image is loaded.
    """
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def is_deep(image: Image.Image, stored: str) -> bool:
    """Return whether a file that stores its pixels as `stored` has more than 8 bits a channel."""
    return image.mode.startswith("I") or image.mode == "F" or _is_deep_colour(image, stored)


def to_rgb(image: Image.Image, stored: str, path: Path, levels: PixelRange = FULL) -> Noted:
    """Convert to RGB of 8 bits a channel, with transparent pixels put on white.

    With more than 8 bits, `levels` gives the values that become 0 and 255: the ends of the range of the file's bits
    (`full`; for 32-bit integers that of 16 bits), the smallest and the largest value of the image (`minmax`), or two
    stated values. Values in between are scaled linearly and rounded.

    Args:
        image: the opened file; it is loaded here.
        stored: its `stored_mode`.
        path: the file; the lower bytes of colour of 16 bits are read from it.
        levels: values that become 0 and 255; see above.

    Returns:
        The image, and notes: `narrow` if less than NARROW of the range is used, `cut` if values are outside `full`.

    Raises:
        ValueError: the pixels are floating-point numbers and `levels` is `full`, or all of them are NaN.
    """
    deep_colour, notes = _is_deep_colour(image, stored), frozenset[str]()
    image.load()
    if image.mode.startswith("I"):
        values = np.asarray(image, np.int64)
        if image.format == "TIFF" and stored == "I;32N":  # unsigned; Pillow's 32 bits are signed
            values = values % 2**32
        grey, notes = scaled(values, levels, 4095 if stored == "I;12" else 65535)
        image = Image.fromarray(grey)
    elif image.mode == "F":
        if levels == FULL:
            raise ValueError("floating-point pixels have no full range; set range to minmax or to [low, high]")
        grey, notes = scaled(np.asarray(image, np.float64), levels, 0)
        image = Image.fromarray(grey)
    elif deep_colour:
        image, notes = _deep_colour(image, stored, path, levels)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB"), notes


def scaled(values: np.ndarray, levels: PixelRange, most: int) -> tuple[np.ndarray, frozenset[str]]:
    """Scale values of any shape to uint8 of that shape; return notes as in `to_rgb` too. `most` is the upper end of
    `full`.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        raise ValueError("no pixel is a number")
    smallest, largest = float(finite.min()), float(finite.max())
    low, high = (0, most) if levels == FULL else (smallest, largest) if levels == MINMAX else levels
    notes = set()
    if levels != MINMAX and min(largest, high) - max(smallest, low) < NARROW * (high - low):
        notes.add("narrow")
    if levels == FULL and (smallest < low or largest > high):
        notes.add("cut")
    inside = np.clip(np.nan_to_num(values, nan=low, posinf=high, neginf=low), low, high) - low
    return np.rint(inside / ((high - low) / 255 or 1)).astype(np.uint8), frozenset(notes)


def _is_deep_colour(image: Image.Image, stored: str) -> bool:
    return image.mode in ("RGB", "RGBA") and stored.rpartition(";")[2] in _OTHER_BYTE


def _deep_colour(image: Image.Image, stored: str, path: Path, levels: PixelRange) -> Noted:
    """Read colour of 16 bits a channel; its opacity, if there is any, keeps 8 bits."""
    upper = np.asarray(image)
    if levels == FULL:
        used = np.ptp(upper[..., :3].astype(int))
        return image, frozenset({"narrow"} if used < NARROW * 255 else ())
    values = 257 * upper.astype(np.int64)  # no lower byte: grey with opacity, premultiplied colour
    if stored.startswith(("RGB;", "RGBA;", "RGBX;")):
        values = 256 * upper.astype(np.int64) + _lower_bytes(stored, path)
    colour, notes = scaled(values[..., :3], levels, 65535)
    return Image.fromarray(np.concatenate([colour, upper[..., 3:]], axis=2)), notes


def _lower_bytes(stored: str, path: Path) -> np.ndarray:
    """Return the byte of each value that Pillow leaves out, uint8 of the shape of the image."""
    name, _, order = stored.rpartition(";")

    def exchanged(arguments: Any) -> Any:
        other = f"{name};{_OTHER_BYTE[order]}"
        return (other, *arguments[1:]) if isinstance(arguments, tuple) else other

    with Image.open(path) as image:
        image.tile = [tile._replace(args=exchanged(tile.args)) for tile in image.tile]
        image.load()
        return np.asarray(image)
