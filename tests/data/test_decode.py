"""Images of every mode and format are decoded to RGB within bounds; damaged files raise one error that names them."""

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mast.data import decode as module
from mast.data.decode import UnreadableImageError, decode, map_files, measure, square

RED = (255, 0, 0)


def save(
    path: Path, mode: str, colour: float | tuple[int, ...], size: tuple[int, int] = (6, 4), **options: object
) -> Path:
    Image.new(mode, size, colour).save(path, **options)
    return path


def assert_colour(image: Image.Image, expected: int | tuple[int, ...], tolerance: int = 0) -> None:
    assert image.mode == "RGB"
    assert np.abs(np.asarray(image).astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize(
    ("name", "mode", "colour", "expected", "tolerance"),
    [
        ("rgb.png", "RGB", RED, RED, 0),
        ("rgb.jpg", "RGB", RED, RED, 3),
        ("rgb.webp", "RGB", RED, RED, 6),
        ("rgb.bmp", "RGB", RED, RED, 0),
        ("rgb.tiff", "RGB", RED, RED, 0),
        ("grey.png", "L", 77, 77, 0),
        ("grey.jpg", "L", 77, 77, 1),
        ("bits.png", "1", 1, 255, 0),
        ("cmyk.jpg", "CMYK", (0, 255, 255, 0), RED, 3),
        ("cmyk.tif", "CMYK", (0, 255, 255, 0), RED, 0),
        ("deep.png", "I;16", 32896, 128, 0),
        ("deep.tif", "I;16", 32896, 128, 0),
        ("wide.tif", "I", 65535, 255, 0),
        ("opaque.png", "RGBA", (*RED, 255), RED, 0),
        ("clear.png", "RGBA", (*RED, 0), 255, 0),
        ("half.png", "RGBA", (*RED, 128), (255, 127, 127), 1),
        ("clear.webp", "RGBA", (*RED, 0), 255, 0),
        ("grey_alpha.png", "LA", (0, 128), 127, 1),
    ],
)
def test_every_mode_becomes_rgb(
    tmp_path: Path, name: str, mode: str, colour: int | tuple[int, ...], expected: int | tuple[int, ...], tolerance: int
) -> None:
    image = decode(save(tmp_path / name, mode, colour))
    assert image.size == (6, 4)
    assert_colour(image, expected, tolerance)


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_palettes_with_and_without_transparency(tmp_path: Path, suffix: str) -> None:
    image = Image.new("P", (4, 2), 1)
    image.putpalette([0, 0, 0, *RED])
    image.putpixel((0, 0), 0)
    image.save(tmp_path / f"plain.{suffix}")
    image.save(tmp_path / f"clear.{suffix}", transparency=0)
    plain, clear = (decode(tmp_path / f"{name}.{suffix}") for name in ("plain", "clear"))
    assert plain.getpixel((0, 0)) == (0, 0, 0) and plain.getpixel((1, 1)) == RED
    assert clear.getpixel((0, 0)) == (255, 255, 255) and clear.getpixel((1, 1)) == RED


def test_the_first_frame_of_an_animation_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, (0, 0, 255))]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert_colour(decode(tmp_path / "moving.gif"), RED)


def test_exif_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned: must be rotated by 90° clockwise
    image = Image.new("RGB", (6, 4))
    image.paste(RED, (0, 0, 3, 4))
    image.save(tmp_path / "turned.png", exif=exif)
    upright = decode(tmp_path / "turned.png")
    assert upright.size == (4, 6) and upright.getpixel((1, 1)) == RED and upright.getpixel((1, 5)) == (0, 0, 0)
    stored = decode(tmp_path / "turned.png", upright=False)
    assert stored.size == (6, 4) and stored.getpixel((1, 3)) == RED


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tif", "gif"])
def test_truncated_files_are_named(tmp_path: Path, suffix: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    path = tmp_path / f"cut.{suffix}"
    noise.save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableImageError, match=rf"cut\.{suffix}: cannot be read as an image \(.+\)$"):
        decode(path)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=60)
@given(st.binary(max_size=200), st.sampled_from(["png", "jpg", "gif", "tif", "bmp", "webp"]), st.integers(0, 150))
def test_damaged_files_never_raise_anything_else(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, suffix: str, position: int
) -> None:
    path = tmp_path_factory.mktemp("junk") / f"junk.{suffix}"
    Image.new("RGB", (9, 9), RED).save(path)
    content = path.read_bytes()
    path.write_bytes(content[:position] + junk + content[position + len(junk) :])
    try:
        assert decode(path).mode == "RGB"
    except UnreadableImageError as error:
        assert "\n" not in str(error) and str(path) in str(error)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n"])
def test_files_that_are_no_images(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "no.png").write_bytes(content)
    with pytest.raises(UnreadableImageError, match=r"no\.png"):
        decode(tmp_path / "no.png")


def test_floating_point_pixels_have_no_plain_meaning(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="floating-point"):
        decode(save(tmp_path / "float.tif", "F", 0.5))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("limit", [23, 10])
def test_decoding_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    path = save(tmp_path / "big.png", "RGB", RED)
    monkeypatch.setattr(module, "MAX_PIXELS", limit)
    with pytest.raises(UnreadableImageError, match=rf"6 × 4 pixels, more than {limit}"):
        decode(path)
    monkeypatch.setattr(module, "MAX_PIXELS", 24)
    decode(path)


def test_a_decompression_bomb_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "bomb.png", "RGB", RED)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(UnreadableImageError, match=r"bomb\.png: cannot be read .* decompression bomb"):
        decode(path)


def test_between_our_limit_and_pillows_there_is_no_gap() -> None:
    assert module.MAX_PIXELS <= Image.MAX_IMAGE_PIXELS


def test_square_takes_the_centre() -> None:
    image = Image.new("RGB", (30, 10), RED)
    image.paste((0, 0, 255), (10, 0, 20, 10))
    assert np.all(square(image, 10) == (0, 0, 255))
    enlarged = square(image.transpose(Image.Transpose.TRANSPOSE), 25)
    assert np.all(enlarged[5:-5] == (0, 0, 255)), "bicubic interpolation mixes colours at the edges only"


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (7, 8)])
def test_square_of_odd_sizes(size: tuple[int, int]) -> None:
    assert square(Image.new("RGB", size, RED), 8).shape == (8, 8, 3)


def test_square_resizes_as_pillow_does() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    expected = np.asarray(noise.resize((16, 16), Image.Resampling.BICUBIC))
    assert np.array_equal(square(noise, 16), expected)


@pytest.mark.filterwarnings("error")
def test_pillow_does_not_warn_of_what_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "large.png", "RGB", RED)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    assert [image.size for image in map_files(decode, [path], threads=1)] == [(6, 4)]


@pytest.mark.parametrize("threads", [1, 3])
def test_files_are_mapped_in_order(threads: int) -> None:
    assert list(map_files(lambda number: number * 2, range(300), threads)) == list(range(0, 600, 2))


def test_a_mapping_that_is_left_half_way_holds_no_threads() -> None:
    before = threading.active_count()
    results = map_files(str, range(1000), threads=4)
    assert next(results) == "0"
    assert threading.active_count() == before
    assert list(results) == [str(number) for number in range(1, 1000)]


def test_memory_that_runs_out_is_no_unreadable_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the image would be skipped without a message if unreadable ones are skipped."""
    path = save(tmp_path / "x.png", "RGB", RED)

    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "to_rgb", exhausted)
    with pytest.raises(MemoryError):
        decode(path)


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.tif", "x.webp"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_measured_sizes_are_those_of_decoded_images(tmp_path: Path, name: str, orientation: int) -> None:
    turned = Image.Exif()
    turned[0x112] = orientation
    path = save(tmp_path / name, "RGB", RED, (12, 8), exif=turned)
    for upright in (True, False):
        assert measure(path, upright=upright)[0][:2] == decode(path, upright).size
