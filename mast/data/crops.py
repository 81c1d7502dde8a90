"""Crops of an image file: the file is decoded once, and each box is cut from the original and resized."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from mast.data.original import at_least
from mast.settings import FULL, PixelRange

GAP = 4
"""A JPEG is decoded at a smaller scale only as long as every box is still this many times larger than its target size.

Of crops of 24 to 96 pixels from two photographs (scikit-learn's) the worst mean difference from a full decoding was 2.2
levels of 255 at a gap of 2, 1.2 at 3, and 0.95 at 4; most of it is at the edges, because Pillow reads beyond them."""

Interpolation = Literal["bicubic", "bilinear"]

PRETRAINING: Interpolation = "bicubic"
"""Interpolation of pretraining, unless a setting gives another (facebookresearch/vicreg, augmentations.py)."""

HEADS: Interpolation = "bilinear"
"""Interpolation of images on which a head is trained, unless a setting gives another: torchvision's default, in
evaluate.py.
"""

Corners = tuple[int, int, int, int]
"""Left, top, right and bottom of a box, pixels."""

_RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class CropBoxes:
    """Boxes to cut from B images for V views."""

    boxes: np.ndarray
    """float32 [V, B, 5]: 1 for a crop or 0 for the image as it was prepared, then left, top, width and height of the
    box, as shares of the image's width and height.
    """
    interpolation: Interpolation


def crops(
    path: Path,
    boxes: np.ndarray,
    size: int,
    interpolation: Interpolation = "bicubic",
    upright: bool = True,
    levels: PixelRange = FULL,
) -> list[np.ndarray]:
    """Cut each box and resize it to a square, with antialiasing, as torchvision's `resized_crop` does to a Pillow
    image.

    The mean difference of a crop is at most a quarter of one
    level of 255, and one level if a large JPEG is decoded at a smaller scale (docs/use/data.md). A box that occurs
    twice returns the same array.

    Args:
        path: the file.
        boxes: float [V, 4], left, top, width and height, as shares of the image's; whole pixels when multiplied out.
        size: side S of the square.
        interpolation: interpolation of the resizing.
        upright: whether to turn the image upright according to EXIF.
        levels: values that become 0 and 255 in images of more than 8 bits (`mast.data.pixels`).

    Returns:
        V arrays, uint8 [S, S, 3].

    Raises:
        UnreadableImageError: the file is missing or damaged.
    """
    shares = boxes.tolist()
    pixels, sides = at_least(path, lambda *sides: _reduction(shares, sides, size), upright, levels)
    factor = round(sides[0] / pixels.shape[1])
    resize = cut if factor == 1 else partial(_cut_reduced, factor=factor)
    corners = [_corners(box, sides) for box in shares]
    found = {corner: resize(pixels, corner, size, interpolation) for corner in dict.fromkeys(corners)}
    return [found[corner] for corner in corners]


def cut(pixels: np.ndarray, corners: Corners, size: int, interpolation: Interpolation) -> np.ndarray:
    """Cut a box from uint8 [H, W, 3] and resize it to uint8 [size, size, 3].

    torch's kernel for uint8 in channels_last memory takes a fifth of Pillow's time on a CPU with AVX2, from which it
    differs by rounding.
    """
    import torch
    from torch.nn import functional

    left, top, right, bottom = corners
    box = torch.from_numpy(pixels[None, top:bottom, left:right].copy()).permute(0, 3, 1, 2)
    resized = functional.interpolate(box, (size, size), mode=interpolation, antialias=True)
    return resized.permute(0, 2, 3, 1)[0].numpy()


def _corners(box: list[float], sides: tuple[int, int]) -> Corners:
    """Return a box given in shares, in whole pixels."""
    left, top, width, height = box
    (first, last), (upper, lower) = _span(left, width, sides[0]), _span(top, height, sides[1])
    return first, upper, last, lower


def _span(first: float, share: float, side: int) -> tuple[int, int]:
    """Return the start and end of a box along one direction: within the image, and at least one pixel apart."""
    start = min(round(first * side), side - 1)
    return start, min(max(round((first + share) * side), start + 1), side)


def _reduction(boxes: list[list[float]], sides: tuple[int, int], size: int) -> int:
    """Return the factor by which a JPEG may be decoded smaller."""
    smallest = min(round(share * side) for box in boxes for share, side in zip(box[2:], sides, strict=True))
    return next(factor for factor in (8, 4, 2, 1) if smallest >= factor * GAP * size or factor == 1)


def _cut_reduced(
    pixels: np.ndarray, corners: Corners, size: int, interpolation: Interpolation, factor: int
) -> np.ndarray:
    """Cut from an image that was decoded smaller by `factor`. Its box ends between pixels, where Pillow can cut."""
    box = tuple(corner / factor for corner in corners)
    return np.asarray(Image.fromarray(pixels).resize((size, size), _RESAMPLING[interpolation], box=box))
