"""Decode image files as RGB, whatever their format, mode and size."""

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mast.data.pixels import is_deep, stored_mode, to_rgb
from mast.errors import MastError
from mast.heif import open_image
from mast.orientation import orientation_in_head, orientation_of, placed, placed_sides
from mast.settings import FULL, PixelRange, Transparency

HEIF: frozenset[str] = frozenset({".heic", ".heif", ".hif", ".heics", ".heifs"})
"""Suffixes read by pillow-heif (`pip install mast-ssl[heif]`)."""

SUFFIXES: frozenset[str] = HEIF | {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".png", ".apng"),
    *(".webp", ".avif", ".avifs", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    *(".tga", ".pcx", ".qoi", ".sgi", ".ras", ".dds", ".fits"),
}
"""File names that count as images, in lower case."""

PASSED_OVER: frozenset[str] = frozenset(
    {
        *(".ico", ".icns", ".cur"),  # icons of folders and programs
        *(".psd", ".gbr", ".msp", ".xbm", ".xpm", ".im", ".iim"),  # working files and parts of programs
        *(".eps", ".ps", ".wmf", ".emf"),  # drawings; another program has to render them
        *(".mpg", ".mpeg", ".fli", ".flc", ".dcx"),  # films and sheaves
        *(".h5", ".hdf", ".grib", ".bufr"),  # Pillow recognises them and reads none
        *(".pcd", ".fit", ".bw", ".rgb", ".rgba", ".vst", ".vda", ".icb", ".pxr", ".blp", ".ftc", ".ftu"),  # others'
    }
)
"""Suffixes that Pillow opens too but that are not images of a dataset, or more often other files (`.pcd`: point
clouds).
"""

SHOWN = ".avif, .bmp, .gif, .heic, .jpg, .png, .ppm, .tif, .webp"
"""The best-known suffixes, for messages."""

MAX_PIXELS = 89_000_000
"""Number of pixels of the largest image that is decoded (about 9,400 × 9,400), just below Pillow's warning of a
decompression bomb.
"""

_BATCH = 64

Item = TypeVar("Item")
Result = TypeVar("Result")


class UnreadableImageError(MastError):
    """A file that should be an image and cannot be decoded."""


@dataclass(frozen=True)
class Decoded:
    """An image, and notes about its file."""

    image: Image.Image
    """RGB."""
    orientation: int = 1
    """EXIF orientation, 1 … 8; 1 is upright."""
    notes: frozenset[str] = frozenset()
    """Keys of `mast.data.prepared.notes.NOTES`: `narrow`, `cut`."""


def decode(
    path: Path, upright: bool = True, levels: PixelRange = FULL, transparency: Transparency = "white"
) -> Image.Image:
    """Read the first frame of an image file as RGB.

    CMYK is converted without colour profile.

    Args:
        path: the file.
        upright: turn the image as its EXIF orientation says; otherwise pixels are as they are stored.
        levels: of images of more than 8 bits, what becomes 0 and 255 (`mast.data.pixels`).
        transparency: what transparent pixels become (same module).

    Raises:
        UnreadableImageError: the file is damaged, cut off, not an image, larger than MAX_PIXELS, or of a mode (Lab,
            floating point without a stated range) without a plain meaning in RGB.
    """
    return examine(path, upright, levels, transparency).image


def examine(
    path: Path, upright: bool = True, levels: PixelRange = FULL, transparency: Transparency = "white"
) -> Decoded:
    """The same, with what there is to say of the file."""
    with _opened(path) as image:
        _check_pixels(image)
        stored, orientation = stored_mode(image), orientation_of(image)
        rgb, notes = to_rgb(image, stored, path, levels, transparency)
        return Decoded(placed(rgb, image.format, orientation, upright), orientation, notes)


def decode_again(
    path: Path, upright: bool = True, levels: PixelRange = FULL, transparency: Transparency = "white"
) -> Image.Image:
    """`decode` of a file that could be read when the data were prepared.

    Raises:
        UnreadableImageError: see `decode`.
    """
    try:
        return decode(path, upright, levels, transparency)
    except UnreadableImageError as error:
        raise UnreadableImageError(f"{error}; put the file back as it was, or prepare the data again") from None


def measure(path: Path, levels: PixelRange = FULL, upright: bool = True) -> tuple[tuple[int, int, int], frozenset[str]]:
    """Return width and height in pixels, as `decode` gives them, the size of the file in bytes, and notes as in
    `Decoded`.

    Only the head of the file is read, except for an image of more than 8 bits.

    Raises:
        UnreadableImageError: the file is missing, not an image, or larger than MAX_PIXELS.
    """
    with _opened(path) as image:
        _check_pixels(image)
        stored, orientation = stored_mode(image), orientation_in_head(image)
        sides = placed_sides(image.size, image.format, orientation, upright)
        notes = to_rgb(image, stored, path, levels)[1] if is_deep(image, stored) else frozenset()
        return (*sides, path.stat().st_size), notes


def sides_in_head(path: Path) -> tuple[int, int]:
    """Return width and height of the stored pixels, from the head of the file.

    Raises:
        UnreadableImageError: the file is missing, not an image, or larger than MAX_PIXELS.
    """
    with _opened(path) as image:
        _check_pixels(image)
        return image.size


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with open_image(path) as image:
            yield image
    except MemoryError:  # tells nothing about the file
        raise
    except Exception as error:  # Pillow's readers raise many kinds on damaged files: OSError, SyntaxError, struct.error
        raise UnreadableImageError(f"{path}: cannot be read as an image ({_reason(error, path)})") from None


def _reason(error: Exception, path: Path) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "empty" if path.stat().st_size == 0 else "of no known format or kind of pixels"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.replace(str(path), "").split()).strip("':") or type(error).__name__


def _check_pixels(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{image.width} × {image.height} pixels, more than {MAX_PIXELS:,}")


def square(image: Image.Image, size: int) -> np.ndarray:
    """Crop the central square and resize it (bicubic, antialiased) to uint8 [size, size, 3]."""
    return np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC))


def map_files(read: Callable[[Item], Result], files: Iterable[Item], threads: int) -> Iterator[Result]:
    """Apply `read` to each file (or array), several at a time, in order, with few results in memory.

    No thread runs between two results. A caller that stops half-way may leave this generator to the garbage collector,
    which would then wait for the threads wherever it runs, even in a thread that another pool is starting.
    """
    pending = iter(files)
    while batch := list(itertools.islice(pending, _BATCH)):
        with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
            warnings.filterwarnings("ignore", module="PIL")  # real errors are raised as well
            results = list(pool.map(read, batch))
        yield from results
