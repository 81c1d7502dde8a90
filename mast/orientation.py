"""Orientation of a stored photograph, from EXIF, and how it is turned upright."""

from PIL import ExifTags, Image

_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Orientation → the transposition that turns the image upright (Exif 2.32, tag 0x0112; Pillow,
`ImageOps.exif_transpose`).
"""

SIDEWAYS = (5, 6, 7, 8)
"""Orientations that exchange width and height."""

_OPPOSITE = {6: 8, 8: 6}
"""Orientations that undo each other; each other orientation undoes itself."""


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation of an opened file that is not loaded yet, 1 … 8; 1 (upright) if there is no valid
    entry.
    """
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow's readers raise many kinds; bad EXIF is no damaged image
        return 1
    return found if found in _TURN else 1


def orientation_in_head(image: Image.Image) -> int:
    """Return the same without reading more of the file; 1 for a PNG whose EXIF block comes after its pixels."""
    if image.format == "PNG" and "exif" not in image.info:  # Pillow would load the pixels to find it
        return 1
    return orientation_of(image)


def placed_sides(sides: tuple[int, int], file_format: str | None, orientation: int, upright: bool) -> tuple[int, int]:
    """Return the width and height after `placed`, from those that Pillow gives for an opened file."""
    is_upright = file_format == "TIFF"
    return sides if orientation not in SIDEWAYS or upright == is_upright else sides[::-1]


def placed(pixels: Image.Image, file_format: str | None, orientation: int, upright: bool) -> Image.Image:
    """Return the pixels of a file, as Pillow gives them, upright or as they are stored.

    Args:
        pixels: the loaded image, in any mode.
        file_format: Pillow's name of the format. Pillow returns TIFF upright, all other formats as stored.
        orientation: result of `orientation_of`.
        upright: whether to return the pixels upright.
    """
    is_upright = file_format == "TIFF"
    if orientation == 1 or upright == is_upright:
        return pixels
    return pixels.transpose(_TURN[orientation if upright else _OPPOSITE.get(orientation, orientation)])
