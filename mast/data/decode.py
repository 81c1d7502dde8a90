"""Image files → RGB, whatever their format, mode and size."""

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from mast.errors import MastError

SUFFIXES: frozenset[str] = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
"""File names that count as images, in lower case."""

MAX_PIXELS = 89_000_000
"""Largest image that is decoded (about 9,400 × 9,400): just below the size at which Pillow warns of a bomb."""

_BATCH = 64

Item = TypeVar("Item")
Result = TypeVar("Result")


class UnreadableImageError(MastError):
    """A file that should be an image and cannot be decoded."""


def decode(path: Path, upright: bool = True) -> Image.Image:
    """Read the first frame of an image file as RGB.

    Transparent pixels are laid over white; 16-bit grey is scaled to 8 bits; CMYK is converted without colour profile.

    Args:
        path: the file.
        upright: turn the image as its EXIF orientation says. Annotated boxes refer to the pixels as they are stored.

    Raises:
        UnreadableImageError: the file is damaged, cut off, not an image, larger than MAX_PIXELS, or of a mode
            (floating point, Lab) without a plain meaning in RGB.
    """
    with _readable(path), Image.open(path) as image:
        _check_pixels(image)
        image.load()
        return _to_rgb(ImageOps.exif_transpose(image) if upright else image)


def decode_again(path: Path, upright: bool = True) -> Image.Image:
    """`decode` of a file that could be read when the data were prepared.

    Raises:
        UnreadableImageError: see `decode`.
    """
    try:
        return decode(path, upright)
    except UnreadableImageError as error:
        raise UnreadableImageError(f"{error}; put the file back as it was, or prepare the data again") from None


def measure(path: Path) -> tuple[int, int, int]:
    """Width and height in pixels, and size of the file in bytes; only the head of the file is read.

    Raises:
        UnreadableImageError: the file is missing, not an image, or larger than MAX_PIXELS.
    """
    with _readable(path), Image.open(path) as image:
        _check_pixels(image)
        return image.width, image.height, path.stat().st_size


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # Pillow's readers raise many kinds on damaged files: OSError, SyntaxError, struct.error
        reason = " ".join(str(error).replace(str(path), "").split()).strip("':") or type(error).__name__
        raise UnreadableImageError(f"{path}: cannot be read as an image ({reason})") from None


def _check_pixels(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{image.width} × {image.height} pixels, more than {MAX_PIXELS:,}")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        wide = np.clip(np.asarray(image, np.int64), 0, 65535)
        image = Image.fromarray(np.rint(wide / 257).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("floating-point pixels; save it with 8 or 16 bits")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def square(image: Image.Image, size: int) -> np.ndarray:
    """Crop the central square and resize it (bicubic, antialiased) to uint8 [size, size, 3]."""
    return np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC))


def map_files(read: Callable[[Item], Result], files: Iterable[Item], threads: int) -> Iterator[Result]:
    """Apply `read` to each file (or array), several at a time, in order, holding few results in memory.

    No thread is left between two results: a caller that stops half-way may leave this generator to the garbage
    collector, which would wait for threads wherever it runs, also in a thread that another pool just starts.
    """
    pending = iter(files)
    while batch := list(itertools.islice(pending, _BATCH)):
        with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
            warnings.filterwarnings("ignore", module="PIL")  # what matters is raised as well
            results = list(pool.map(read, batch))
        yield from results
