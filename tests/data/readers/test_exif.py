"""Photographs that EXIF rotates: pixels and boxes agree by a stated rule, and the manifest names the files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.coco_source import Source

from mast.data.prepare import prepare
from mast.data.prepared.store import PreparedData, open_prepared
from mast.data.readers.voc import VocData
from mast.errors import MastError
from mast.evaluation.detection_images import DetectionImages
from mast.reporting.figures import detections
from mast.results import DataFiles

ORIENTATION = 0x0112
STORED = np.zeros((10, 20, 3), np.uint8)
STORED[2:6, 1:8] = (255, 0, 0)
"""Pixels as stored: an object of 7 × 4 pixels, to the upper left."""


def turned(path: Path, orientation: int, pixels: np.ndarray = STORED) -> np.ndarray:
    """Save an image with this orientation; return it upright."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(pixels).save(path, exif=exif)
    return {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.transpose(1, 0, 2),
        6: np.rot90(pixels, -1),
        7: np.rot90(pixels, 2).transpose(1, 0, 2),
        8: np.rot90(pixels),
    }[orientation]


def box_of(pixels: np.ndarray) -> list[int]:
    rows, columns = np.nonzero(pixels[..., 0] > 128)
    left, top = int(columns.min()), int(rows.min())
    return [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]


def annotate(source: Source, box: list[int], **stated: object) -> None:
    """One image and one object in each split."""
    for instances in source.instances.values():
        instances["images"] = [{"id": 7, "file_name": "a.png", **stated}]
        x, y, w, h = box
        outline = [[x, y, x + w, y, x + w, y + h, x, y + h]]
        instances["annotations"] = [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": box, "segmentation": outline},
        ]


def assert_agree(data: PreparedData) -> None:
    """Check the input of the detector: the red pixels are the box, and the mask."""
    pixels, target, _ = DetectionImages(data, "train", masks=True)[0]
    left, top, right, bottom = target["boxes"][0].int().tolist()
    red = pixels[0] > 0.5
    assert box_of(255 * pixels.permute(1, 2, 0).numpy()) == [left, top, right - left, bottom - top]
    assert (target["masks"][0].bool() == red).all()
    entry = data.annotations("train")["images"][0]
    assert (entry["height"], entry["width"]) == red.shape


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("square", [False, True])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_boxes_and_pixels_agree_either_way(tmp_path: Path, orientation: int, square: bool, suffix: str) -> None:
    source = Source(tmp_path)
    pixels = np.pad(STORED, ((0, 10), (0, 0), (0, 0))) if square else STORED
    for split in ("train", "test"):
        name = "a.png" if suffix == "png" else "a.tif"
        upright = turned(tmp_path / split / name, orientation, pixels)
    for exif, shown in (("stored", pixels), ("upright", upright)):
        annotate(source, box_of(shown))
        for instances in source.instances.values():
            instances["images"][0]["file_name"] = name
        data = source.prepare(exif=exif)
        assert_agree(data)
        counts, named = data.manifest.splits["train"], data.manifest.named.get("train", {})
        assert (counts.get("turned", 0), named.get("turned", [])) == ((1, [name]) if orientation != 1 else (0, []))
        coco = data.annotations("train")
        drawn = detections._pixels(DataFiles(data.path), coco, coco["images"][0])
        assert np.array_equal(drawn, shown)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize(("exif", "other"), [("stored", "upright"), ("upright", "stored")])
def test_a_size_stated_for_the_other_is_refused_and_names_exif(
    tmp_path: Path, orientation: int, exif: str, other: str
) -> None:
    source = Source(tmp_path)
    for split in ("train", "test"):
        upright = turned(tmp_path / split / "a.png", orientation)
    shown = {"stored": STORED, "upright": upright}
    height, width = shown[other].shape[:2]
    annotate(source, box_of(shown[other]), width=width, height=height)
    stated = f"{width} × {height} pixels, its file is {height} × {width}"
    message = rf"a\.png\) is stated to be {stated}, turned by EXIF \(orientation {orientation}\); set exif: {other}$"
    with pytest.raises(MastError, match=message):
        source.prepare(exif=exif)
    assert_agree(source.prepare(exif=other))


def test_a_wrong_size_of_a_turned_image_is_no_matter_of_the_key(tmp_path: Path) -> None:
    source = Source(tmp_path)
    turned(tmp_path / "train/a.png", 6)
    annotate(source, [1, 2, 7, 4], width=30, height=10)
    with pytest.raises(MastError, match=r"its file is 20 × 10, turned by EXIF \(orientation 6\)$"):
        source.prepare()


def test_a_box_outside_a_turned_image_names_exif(tmp_path: Path) -> None:
    source = Source(tmp_path)
    box = box_of(turned(tmp_path / "train/a.png", 6))
    annotate(source, [box[0], 12, 4, 7])
    with pytest.raises(
        MastError, match=r"outside the image .*; the image is turned by EXIF \(orientation 6\), see the k"
    ):
        source.prepare()


def test_exif_that_is_damaged_or_means_nothing_turns_nothing(tmp_path: Path) -> None:
    source = Source(tmp_path)
    annotate(source, [1, 2, 7, 4])
    for split, content in (("train", b"Exif\0\0II*\0\xff\xff\xff\xff"), ("test", None)):
        exif = Image.Exif()
        exif[ORIENTATION] = 9
        Image.fromarray(STORED).save(tmp_path / split / "a.png", exif=content or exif)
    data = source.prepare(exif="upright")
    assert_agree(data)
    assert data.manifest.named == {}


def test_voc_has_the_same_rule(tmp_path: Path) -> None:
    folder = tmp_path / "VOC2007"
    for name in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (folder / name).mkdir(parents=True)
    exif = Image.Exif()
    exif[ORIENTATION] = 8
    Image.fromarray(STORED).save(folder / "JPEGImages/1.jpg", exif=exif)
    box = "<xmin>2</xmin><ymin>11</ymin><xmax>6</xmax><ymax>19</ymax>"
    size = "<size><width>10</width><height>20</height></size>"
    objects = f"<object><name>cat</name><bndbox>{box}</bndbox></object>"
    (folder / "Annotations/1.xml").write_text(f"<annotation>{size}{objects}</annotation>")
    (folder / "ImageSets/Main/all.txt").write_text("1\n")
    spec = {"kind": "voc", "root": str(tmp_path), "train": ["2007/all"], "test": ["2007/all"], "classes": ["cat"]}
    with pytest.raises(
        MastError, match=r"1\.xml is stated to be 10 × 20 .* turned by EXIF \(orientation 8\); set exif: up"
    ):
        prepare("voc", VocData(**spec), tmp_path / "out")
    prepare("voc", VocData(**spec, exif="upright"), tmp_path / "out")
    data = open_prepared(tmp_path / "out")
    assert data.manifest.named["test"]["turned"] == ["VOC2007/JPEGImages/1.jpg"]
    assert DetectionImages(data, "train")[0][0].shape == (3, 20, 10)
