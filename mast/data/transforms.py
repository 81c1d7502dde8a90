"""Make a square of a whole image, as torchvision's transforms do with a Pillow image."""

import numpy as np
from PIL import Image

from mast.data.decode import square
from mast.settings import Transform

_INTERPOLATION = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def squared(image: Image.Image, size: int, transform: Transform | None = None) -> np.ndarray:
    """Return an RGB image of any size as uint8 [size, size, 3].

    This is torchvision's `Resize(resize)` and then `CenterCrop(size)` or, with `square: stretch`, `Resize((size,
    size))`: lengths are truncated to whole pixels, the corner of the crop is rounded half to even, and Pillow resizes
    with antialiasing (pytorch/vision, transforms/functional.py). Without a transform: `mast.data.decode.square`.
    """
    if transform is None:
        return square(image, size)
    filtered = _INTERPOLATION[transform.interpolation]
    side, width, height = transform.resize or size, image.width, image.height
    scaled = (side, side * height // width) if width <= height else (side * width // height, side)
    image = _resized(image, scaled, filtered)
    if transform.square == "stretch":
        return np.asarray(_resized(image, (size, size), filtered))
    left, top = (round((length - size) / 2) for length in image.size)
    return np.asarray(image.crop((left, top, left + size, top + size)))


def _resized(image: Image.Image, lengths: tuple[int, int], filtered: Image.Resampling) -> Image.Image:
    return image if image.size == lengths else image.resize(lengths, filtered)
