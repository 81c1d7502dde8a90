"""Open image files, also those in HEIF, which Pillow reads with the help of pillow-heif."""

from pathlib import Path

from PIL import Image, UnidentifiedImageError

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc")


def open_image(path: Path) -> Image.Image:
    """Return Pillow's image of a file whose head has been read.

    Raises:
        ValueError: the file is HEIF, and pillow-heif is not installed.
        Exception: the file is missing or damaged; Pillow's readers raise many kinds.
    """
    try:
        return Image.open(path)
    except UnidentifiedImageError:
        with path.open("rb") as file:
            head = file.read(12)
        if head[4:8] != b"ftyp" or head[8:12] not in _BRANDS:
            raise
        try:
            from pillow_heif import register_heif_opener
        except ImportError:
            raise ValueError("HEIF, which needs pillow-heif: pip install pillow-heif") from None
        register_heif_opener()
        return Image.open(path)
