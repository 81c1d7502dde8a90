"""Fast decoding of image files at their original size: plain JPEGs by torchvision, all others by Pillow."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from mast.data.decode import MAX_PIXELS, decode_again
from mast.orientation import orientation_of
from mast.settings import FULL, PixelRange, Transparency

Shrink = Callable[[int, int], int]
"""Function from an image's width and height in pixels to the factor by which it may be decoded smaller: 1, 2, 4 or 8.
"""


def at_least(
    path: Path,
    shrink: Shrink,
    upright: bool = True,
    levels: PixelRange = FULL,
    transparency: Transparency = "white",
) -> tuple[np.ndarray, tuple[int, int]]:
    """Return the pixels of a file, decoded smaller if it is a plain JPEG and `shrink` allows it.

    A JPEG's blocks of 8 × 8 pixels can be decoded as blocks of 4, 2 or 1 (libjpeg's `scale_denom`), which is faster.
    Grey and colour JPEGs of 8 bits are plain; CMYK is not.

    Args:
        path: the file.
        shrink: see `Shrink`.
        upright: turn the image as its EXIF orientation says; otherwise pixels are as they are stored.
        levels: of images of more than 8 bits, what becomes 0 and 255 (`mast.data.pixels`).
        transparency: what transparent pixels become (same module).

    Returns:
        uint8 [⌈H / s⌉, ⌈W / s⌉, 3], and the (W, H) of the original.

    Raises:
        UnreadableImageError: see `mast.data.decode.decode`.
    """
    try:
        found = _plain_jpeg(path, shrink, upright)
    except MemoryError:
        raise
    except Exception:  # Pillow reports what is wrong with the file, or reads what torchvision cannot
        found = None
    if found is not None:
        return found
    image = decode_again(path, upright, levels, transparency)
    return np.asarray(image), image.size


def _plain_jpeg(path: Path, shrink: Shrink, upright: bool) -> tuple[np.ndarray, tuple[int, int]] | None:
    """Return the pixels of a JPEG that needs no turning; None for any other file."""
    data = np.fromfile(path, np.uint8)
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:  # reads the head
        size = image.size
        turned = upright and orientation_of(image) != 1
        if turned or image.format != "JPEG" or image.mode not in ("RGB", "L") or size[0] * size[1] > MAX_PIXELS:
            return None
        factor = shrink(*size)
        if factor > 1:
            image.draft(None, (size[0] // factor, size[1] // factor))
            return np.asarray(image.convert("RGB")), size
    from torch import from_numpy
    from torchvision.io import ImageReadMode, decode_jpeg

    return decode_jpeg(from_numpy(data), ImageReadMode.RGB).permute(1, 2, 0).numpy(), size
