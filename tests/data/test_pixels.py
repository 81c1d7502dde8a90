"""Images of more than 8 bits become RGB by a stated range, value for value; nearly flat ones get a note."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mast.data.decode import UnreadableImageError, decode, examine, measure
from mast.errors import MastError
from mast.settings import PixelRange, parse

RNG = np.random.default_rng(0)
TWELVE = RNG.integers(0, 4096, (6, 5)).astype(np.uint16)
TWELVE[0, 0] = 4095


def saved(path: Path, values: np.ndarray, **options: object) -> Path:
    Image.fromarray(values).save(path, **options)
    return path


def by_hand(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.rint(255 * (np.clip(values.astype(float), low, high) - low) / (high - low)).astype(np.uint8)


def grey(path: Path, levels: PixelRange = "full") -> np.ndarray:
    pixels = np.asarray(decode(path, levels=levels))
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_by_each_range(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"x.{suffix}", TWELVE)
    assert grey(path).max() == 16, "12 bits of 16"
    assert np.array_equal(grey(path), np.rint(TWELVE / 257))
    assert np.array_equal(grey(path, (0, 4095)), by_hand(TWELVE, 0, 4095))
    assert np.array_equal(grey(path, (100, 2000)), by_hand(TWELVE, 100, 2000))
    assert np.array_equal(grey(path, "minmax"), by_hand(TWELVE, TWELVE.min(), TWELVE.max()))


@pytest.mark.parametrize("values", [TWELVE.astype(np.int32) * 1000 - 5000, (TWELVE / 4095 - 0.5).astype(np.float32)])
def test_32_bits_by_each_range(tmp_path: Path, values: np.ndarray) -> None:
    path = saved(tmp_path / "x.tif", values)
    low, high = float(values.min()), float(values.max())
    assert np.array_equal(grey(path, "minmax"), by_hand(values, low, high))
    middle = (low + high) / 2
    assert np.array_equal(grey(path, (low, middle)), by_hand(values, low, middle))


def test_floating_point_needs_a_stated_range(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.tif", np.array([[0, 0.5, np.nan, np.inf, -np.inf]], np.float32))
    with pytest.raises(UnreadableImageError, match=r"floating-point pixels .* set range to minmax or to \[low, high\]"):
        decode(path)
    assert grey(path, (0, 1)).tolist() == [[0, 128, 0, 255, 0]]
    assert grey(path, "minmax").tolist() == [[0, 255, 0, 255, 0]]
    with pytest.raises(UnreadableImageError, match="no pixel is a number"):
        decode(saved(tmp_path / "y.tif", np.full((2, 2), np.nan, np.float32)), levels="minmax")


def test_a_flat_image_is_black_by_its_own_range(tmp_path: Path) -> None:
    assert not grey(saved(tmp_path / "x.png", np.full((2, 2), 7, np.uint16)), "minmax").any()


def png(path: Path, values: np.ndarray) -> Path:
    """A PNG of 16 bits a channel, uint16 [H, W, 3 or 4], which Pillow cannot write."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    return path


def tiff(path: Path, values: np.ndarray, order: str = "<") -> Path:
    """An uncompressed TIFF of 16 bits a channel, uint16 [H, W, 3]."""
    height, width, channels = values.shape
    tags = [(256, width), (257, height), (258, 0), (259, 1), (262, 2), (273, 0), (277, channels)]
    tags += [(278, height), (279, 0)]
    bits, data = 8 + 2 + 12 * len(tags) + 4, values.astype(f"{order}u2").tobytes()
    content = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(tags))
    for tag, value in tags:
        kind, count, value = {258: (3, 3, bits), 273: (4, 1, bits + 6), 279: (4, 1, len(data))}.get(tag, (4, 1, value))
        content += struct.pack(f"{order}HHII", tag, kind, count, value)
    path.write_bytes(content + struct.pack(f"{order}I3H", 0, 16, 16, 16) + data)
    return path


COLOUR = RNG.integers(0, 4096, (5, 6, 3)).astype(np.uint16)
WRITERS = {"png": png, "little": tiff, "big": lambda path, values: tiff(path, values, ">")}


@pytest.mark.parametrize("writer", WRITERS)
def test_colour_of_16_bits_keeps_its_lower_byte(tmp_path: Path, writer: str) -> None:
    path = WRITERS[writer](tmp_path / "x", COLOUR)
    assert np.array_equal(np.asarray(decode(path)), COLOUR >> 8), "full: the upper byte, as Pillow reads it"
    assert np.array_equal(np.asarray(decode(path, levels=(0, 4095))), by_hand(COLOUR, 0, 4095))
    assert np.array_equal(np.asarray(decode(path, levels="minmax")), by_hand(COLOUR, COLOUR.min(), COLOUR.max()))


def test_opacity_is_not_stretched(tmp_path: Path) -> None:
    opaque = np.concatenate([COLOUR, np.full((5, 6, 1), 65535, np.uint16)], axis=2)
    stretched = np.asarray(decode(png(tmp_path / "a.png", opaque), levels=(0, 4095)))
    assert np.array_equal(stretched, by_hand(COLOUR, 0, 4095))
    opaque[..., 3] = 0
    assert (np.asarray(decode(png(tmp_path / "b.png", opaque), levels=(0, 4095))) == 255).all()
    grey_and_opacity = opaque[..., 2:] | np.array([0, 65535], np.uint16)
    steps = np.asarray(decode(png(tmp_path / "c.png", grey_and_opacity), levels=(0, 4095)))[..., 0].astype(int)
    assert np.abs(steps - by_hand(COLOUR[..., 2], 0, 4095)).max() <= 16, "to the upper byte"


@pytest.mark.parametrize(
    ("values", "levels", "notes"),
    [
        (TWELVE, "full", {"narrow"}),
        (TWELVE, "minmax", set()),
        (TWELVE, (0, 4095), set()),
        (TWELVE, (0, 65535), {"narrow"}),
        (TWELVE * 16, "full", set()),
        (TWELVE.astype(np.int32) * 1000, "full", {"cut"}),
        (TWELVE.astype(np.int32) * 1000, (0, 4_095_000), set()),
        (TWELVE.astype(np.uint8), "full", set()),
        (np.full((4, 4), 3, np.uint8), "full", set()),
    ],
)
def test_what_is_noted(tmp_path: Path, values: np.ndarray, levels: PixelRange, notes: set[str]) -> None:
    path = saved(tmp_path / "x.tif", values)
    assert examine(path, levels=levels).notes == notes
    assert measure(path, levels) == ((values.shape[1], values.shape[0], path.stat().st_size), notes)


def test_narrow_colour_is_noted(tmp_path: Path) -> None:
    assert examine(png(tmp_path / "x.png", COLOUR)).notes == {"narrow"}
    assert examine(png(tmp_path / "x.png", COLOUR), levels=(0, 4095)).notes == set()
    assert examine(png(tmp_path / "x.png", COLOUR * 16)).notes == set()


def grey_tiff(path: Path, bits: int, width: int, data: bytes) -> Path:
    """A TIFF of one row of unsigned grey values of any number of bits, which Pillow cannot write."""
    tags = [(256, width), (257, 1), (258, bits), (259, 1), (262, 1), (273, 0), (277, 1), (278, 1), (279, len(data))]
    start = 8 + 2 + 12 * len(tags) + 4
    content = b"II" + struct.pack("<HIH", 42, 8, len(tags))
    content += b"".join(struct.pack("<HHII", tag, 4, 1, start if tag == 273 else value) for tag, value in tags)
    path.write_bytes(content + struct.pack("<I", 0) + data)
    return path


def test_32_bits_without_sign_keep_their_upper_half(tmp_path: Path) -> None:
    values = np.array([[0, 2**31 - 1, 2**31, 2**32 - 1]])
    path = grey_tiff(tmp_path / "x.tif", 32, 4, values.astype("<u4").tobytes())
    assert grey(path, (0, 2**32 - 1)).tolist() == [[0, 127, 128, 255]]
    assert grey(path, "minmax").tolist() == [[0, 127, 128, 255]]
    assert grey(path).tolist() == [[0, 255, 255, 255]] and examine(path).notes == {"cut"}


def test_packed_12_bits_have_a_range_of_their_own(tmp_path: Path) -> None:
    """A TIFF that says 12 bits a value: two values in three bytes."""
    values = np.array([[0, 4095, 2048, 16]])
    packed = b"".join(struct.pack(">I", int(a) << 12 | int(b))[1:] for a, b in values.reshape(-1, 2))
    path = grey_tiff(tmp_path / "x.tif", 12, 4, packed)
    assert grey(path).tolist() == by_hand(values, 0, 4095).tolist()


@pytest.mark.parametrize("wrong", ["ful", [3, 3], [4, 1], [1], "0,1", [0, float("inf")]])
def test_ranges_that_are_none(wrong: object) -> None:
    with pytest.raises(MastError, match=r"^range: "):
        parse(PixelRange, wrong, "range")
