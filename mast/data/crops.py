"""Crops of an image file: decoded once, each box cut from the original and resized."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from mast.data.original import at_least
from mast.settings import FULL, PixelRange, Transparency

GAP = 4
"""A JPEG is decoded smaller only as far as every box stays this many times as large as what it is resized to.

Of crops of 24 to 96 pixels from two photographs (scikit-learn's) the worst mean difference from a full decoding was 2.2
levels of 255 at a gap of 2, 1.2 at 3, and 0.95 at 4; most of it lies at the edges, beyond which Pillow looks."""

Interpolation = Literal["bicubic", "bilinear"]

PRETRAINING: Interpolation = "bicubic"
"""Unless a setting says otherwise: facebookresearch/vicreg, augmentations.py."""

HEADS: Interpolation = "bilinear"
"""Likewise, of images on which a head is trained: torchvision's default, in evaluate.py."""

Corners = tuple[int, int, int, int]
"""Left, top, right and bottom of a box, pixels."""

_RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class CropBoxes:
    """What to cut from B images for V views."""

    boxes: np.ndarray
    """float32 [V, B, 5]: whether it is a crop at all (1, or 0: the image as it was prepared), then left, top, width and
    height of the box, as shares of the image's width and height."""
    interpolation: Interpolation


def crops(
    path: Path,
    boxes: np.ndarray,
    size: int,
    interpolation: Interpolation = "bicubic",
    upright: bool = True,
    levels: PixelRange = FULL,
    transparency: Transparency = "white",
) -> list[np.ndarray]:
    """Cut each box and resize it, antialiased, to a square.

    As torchvision's `resized_crop` does it to a Pillow image. The mean difference of a crop is at most a quarter of one
    level of 255, and one level where a large JPEG is decoded smaller (docs/use/data.md). A box that occurs twice is the
    same array.

    Args:
        path: the file.
        boxes: float [V, 4], left, top, width and height, as shares of the image's; whole pixels when multiplied out.
        size: side S of the square.
        interpolation: of the resizing.
        upright: turn the image as its EXIF orientation says.
        levels: of images of more than 8 bits, what becomes 0 and 255 (`mast.data.pixels`).
        transparency: what transparent pixels become (same module).

    Returns:
        V times uint8 [S, S, 3].

    Raises:
        UnreadableImageError: the file is missing or damaged.
    """
    shares = boxes.tolist()
    pixels, sides = at_least(path, lambda *sides: _reduction(shares, sides, size), upright, levels, transparency)
    factor = round(sides[0] / pixels.shape[1])
    resize = cut if factor == 1 else partial(_cut_reduced, factor=factor)
    corners = [_corners(box, sides) for box in shares]
    found = {corner: resize(pixels, corner, size, interpolation) for corner in dict.fromkeys(corners)}
    return [found[corner] for corner in corners]


def cut(pixels: np.ndarray, corners: Corners, size: int, interpolation: Interpolation) -> np.ndarray:
    """A box of uint8 [H, W, 3], resized to uint8 [size, size, 3].

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
    """Of a box given in shares, in whole pixels."""
    left, top, width, height = box
    (first, last), (upper, lower) = _span(left, width, sides[0]), _span(top, height, sides[1])
    return first, upper, last, lower


def _span(first: float, share: float, side: int) -> tuple[int, int]:
    """Where a box begins and ends in one direction: within the image, and at least one pixel apart."""
    start = min(round(first * side), side - 1)
    return start, min(max(round((first + share) * side), start + 1), side)


def _reduction(boxes: list[list[float]], sides: tuple[int, int], size: int) -> int:
    """By how much a JPEG may be decoded smaller."""
    smallest = min(round(share * side) for box in boxes for share, side in zip(box[2:], sides, strict=True))
    return next(factor for factor in (8, 4, 2, 1) if smallest >= factor * GAP * size or factor == 1)


def _cut_reduced(
    pixels: np.ndarray, corners: Corners, size: int, interpolation: Interpolation, factor: int
) -> np.ndarray:
    """The same of an image that was decoded smaller by `factor`: its box ends between pixels, where Pillow can cut."""
    box = tuple(corner / factor for corner in corners)
    return np.asarray(Image.fromarray(pixels).resize((size, size), _RESAMPLING[interpolation], box=box))
