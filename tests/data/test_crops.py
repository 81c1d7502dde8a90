"""Crops of files equal torchvision's on the same boxes; a file is decoded once, and smaller if that hardly shows."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import resized_crop

from mast.data import crops as module
from mast.data.crops import Interpolation, crops
from mast.data.decode import UnreadableImageError, decode
from mast.data.original import at_least

PHOTOGRAPH = Image.fromarray(load_sample_images().images[0])
"""640 × 427 pixels."""

TURNED = Image.Exif()
TURNED[0x112] = 6

FILES = {
    "colour.jpg": (PHOTOGRAPH, {"quality": 92}),
    "progressive.jpg": (PHOTOGRAPH, {"progressive": True}),
    "grey.jpg": (PHOTOGRAPH.convert("L"), {}),
    "cmyk.jpg": (PHOTOGRAPH.convert("CMYK"), {}),
    "turned.jpg": (PHOTOGRAPH, {"exif": TURNED}),
    "turned.tif": (PHOTOGRAPH, {"exif": TURNED}),
    "panorama.jpg": (PHOTOGRAPH.crop((0, 100, 640, 140)), {}),
    "tower.png": (PHOTOGRAPH.crop((100, 0, 117, 427)), {}),
    "small.jpg": (PHOTOGRAPH.resize((31, 23)), {}),
    "one.png": (PHOTOGRAPH.resize((1, 1)), {}),
}
SIDE = 48


def saved(folder: Path, name: str) -> Path:
    image, options = FILES[name]
    image.save(folder / name, **options)
    return folder / name


def boxes_in(width: int, height: int, least: float = 0.0) -> np.ndarray:
    """The whole image, and random boxes of whole pixels, as shares; the shorter sides are `least` of the height."""
    random, shares = np.random.default_rng(width), [(0, 0, 1, 1)]
    for _ in range(5):
        sides = [random.integers(max(1, round(least * height)), side + 1) for side in (width, height)]
        place = [random.integers(0, side - own + 1) for side, own in zip((width, height), sides, strict=True)]
        shares.append((place[0] / width, place[1] / height, sides[0] / width, sides[1] / height))
    return np.array(shares, np.float32)


def expected(path: Path, boxes: np.ndarray, size: int, interpolation: str, upright: bool = True) -> np.ndarray:
    """torchvision's, of Pillow's image."""
    image, cut = decode(path, upright), []
    scale = np.array([*image.size, *image.size])
    for left, top, width, height in np.rint(boxes * scale).astype(int).tolist():
        mode = InterpolationMode(interpolation)
        cut.append(np.asarray(resized_crop(image, top, left, height, width, [size, size], mode, antialias=True)))
    return np.stack(cut)


def difference(found: np.ndarray, wanted: np.ndarray) -> tuple[float, int]:
    """The largest mean over a crop, and the largest of a value."""
    apart = np.abs(found.astype(int) - wanted)
    return float(apart.mean(axis=(1, 2, 3)).max()), int(apart.max())


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("name", FILES)
def test_crops_are_torchvisions(
    tmp_path: Path, name: str, interpolation: Interpolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for rounding, where the image is decoded in full."""
    monkeypatch.setattr(module, "_reduction", lambda *_: 1)
    path = saved(tmp_path, name)
    for upright in (True, False):
        boxes = boxes_in(*decode(path, upright).size)
        found = crops(path, boxes, SIDE, interpolation, upright)
        assert len(found) == 6 and all(each.shape == (SIDE, SIDE, 3) and each.dtype == np.uint8 for each in found)
        mean, most = difference(np.stack(found), expected(path, boxes, SIDE, interpolation, upright))
        assert mean < 0.25 and most <= 4


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("picture", [0, 1])
def test_decoded_smaller_they_differ_by_less_than_a_level(
    tmp_path: Path, picture: int, interpolation: Interpolation
) -> None:
    """Both photographs of scikit-learn, down to 8 times smaller."""
    path = tmp_path / "photograph.jpg"
    Image.fromarray(load_sample_images().images[picture]).save(path, quality=92)
    for size, factor in ((24, 4), (24, 2), (48, 2), (13, 8)):
        least = factor * module.GAP * size
        smallest = np.array([[5 / 640, 9 / 427, least / 640, least / 427]], np.float32)
        boxes = np.concatenate((boxes_in(640, 427, least / 427), smallest))
        assert module._reduction(boxes.tolist(), (640, 427), size) == factor
        mean, _ = difference(
            np.stack(crops(path, boxes, size, interpolation)), expected(path, boxes, size, interpolation)
        )
        assert mean < 1


def test_it_is_decoded_smaller_as_far_as_each_box_stays_four_times_as_large() -> None:
    def reduction(*shares: float) -> int:
        return module._reduction([[0, 0, share, share] for share in shares], (1000, 800), 25)

    assert [reduction(share) for share in (0.1, 0.24, 0.25, 0.49, 0.5, 0.99, 1)] == [1, 1, 2, 2, 4, 4, 8]
    assert reduction(1, 0.3) == 2


def test_a_file_is_decoded_once_and_equal_boxes_are_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded, cut = [], []
    monkeypatch.setattr(module, "at_least", lambda *given: decoded.append(1) or at_least(*given))
    original_cut = module.cut
    monkeypatch.setattr(module, "cut", lambda *given: cut.append(given[1]) or original_cut(*given))
    boxes = boxes_in(640, 427)[[1, 2, 1, 1]]
    found = crops(saved(tmp_path, "colour.jpg"), boxes, 224)
    assert (len(decoded), len(cut)) == (1, 2)
    assert (found[0] == found[2]).all() and (found[0] == found[3]).all() and (found[0] != found[1]).any()


@pytest.mark.parametrize("name", FILES)
def test_the_fast_way_gives_the_pixels_of_the_other(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, name)
    for upright in (True, False):
        assert (at_least(path, lambda *_: 1, upright)[0] == np.asarray(decode(path, upright))).all()


def test_a_damaged_jpeg_is_named(tmp_path: Path) -> None:
    path, content = tmp_path / "x.jpg", io.BytesIO()
    PHOTOGRAPH.save(content, "jpeg")
    path.write_bytes(content.getvalue()[:3000])
    with pytest.raises(
        UnreadableImageError, match=r"x\.jpg: .* put the file back as it was, or prepare the data again"
    ):
        crops(path, boxes_in(640, 427), SIDE)
    path.unlink()
    with pytest.raises(UnreadableImageError, match=r"x\.jpg"):
        crops(path, boxes_in(640, 427), SIDE)


def test_a_file_of_another_size_than_was_indexed_is_cropped_within_it(tmp_path: Path) -> None:
    """Boxes are shares: of an image of 1 × 1 pixels they are that pixel."""
    path = saved(tmp_path, "one.png")
    found = crops(path, boxes_in(640, 427), 4)
    assert all((each == np.asarray(decode(path))[0, 0]).all() for each in found)
