"""PASCAL VOC's layout is read: XML annotations and JPEG images on disk."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mast.data.prepare import prepare
from mast.data.prepared.store import PreparedData, open_prepared
from mast.data.readers.voc import VocData
from mast.errors import MastError
from mast.evaluation.detection_images import DetectionImages
from mast.settings import parse

OBJECT = """
  <object>
    <name>{name}</name>
    <pose>Left</pose>
    <truncated>0</truncated>
    <difficult>{difficult}</difficult>
    <bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox>
    <part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>
  </object>"""

ANNOTATION = """<annotation>
  <folder>{folder}</folder>
  <filename>{identifier}.jpg</filename>
  <size><width>20</width><height>10</height><depth>3</depth></size>{objects}
</annotation>
"""


def annotation(folder: str, identifier: str, *objects: tuple[str, tuple[object, ...], int]) -> str:
    texts = [OBJECT.format(name=name, box=box, difficult=difficult) for name, box, difficult in objects]
    return ANNOTATION.format(folder=folder, identifier=identifier, objects="".join(texts))


class Devkit:
    """VOC2007 with trainval and test, VOC2012 with trainval."""

    def __init__(self, path: Path) -> None:
        self.root = path / "VOCdevkit"
        self.add("2007", "trainval", "000005", ("dog", (2, 3, 10, 8), 0), ("cat", (1, 1, 20, 10), 1))
        self.add("2007", "test", "000001", ("cat", (2, 2, 5, 5), 0))
        self.add("2012", "trainval", "2008_000002", ("cat", ("3.5", 2, "9.5", 9), 0))

    def add(self, year: str, image_set: str, identifier: str, *objects: tuple[str, tuple[object, ...], int]) -> None:
        folder = self.root / f"VOC{year}"
        for name in ("Annotations", "ImageSets/Main", "JPEGImages"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.xml(year, identifier).write_text(annotation(folder.name, identifier, *objects))
        Image.new("RGB", (20, 10), (0, 255, 0)).save(folder / f"JPEGImages/{identifier}.jpg")
        with (folder / f"ImageSets/Main/{image_set}.txt").open("a") as lines:
            lines.write(f"{identifier}\n")

    def xml(self, year: str, identifier: str) -> Path:
        return self.root / f"VOC{year}/Annotations/{identifier}.xml"

    def prepare(self, **settings: object) -> PreparedData:
        spec = VocData(kind="voc", root=str(self.root), classes=("cat", "dog"), **settings)
        prepare("voc", spec, self.root.parent / "prepared")
        return open_prepared(self.root.parent / "prepared")


@pytest.fixture
def devkit(tmp_path: Path) -> Devkit:
    return Devkit(tmp_path)


def test_objects_in_cocos_terms(devkit: Devkit) -> None:
    data = devkit.prepare()
    data.verify()
    assert data.targets == {"box": ["cat", "dog"]}
    assert (data.count("train"), data.count("test")) == (2, 1)
    coco = data.annotations("train")
    names = [image["file_name"] for image in coco["images"]]
    assert names == ["VOC2007/JPEGImages/000005.jpg", "VOC2012/JPEGImages/2008_000002.jpg"]
    dog, difficult, cat = coco["annotations"]
    assert dog == {"id": 1, "image_id": 1, "category_id": 2, "bbox": [1, 2, 9, 6], "area": 54, "iscrowd": 0}
    assert (difficult["bbox"], difficult["iscrowd"], difficult["difficult"]) == ([0, 0, 20, 10], 1, 1)
    assert (cat["image_id"], cat["category_id"], cat["bbox"]) == (2, 1, [2.5, 1, 7, 8])
    np.testing.assert_allclose(data.mean, [0, 1, 0], atol=0.01)


def test_difficult_objects_are_learned_from_and_crowds_are_not(devkit: Devkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in detectron2 (data/datasets/pascal_voc.py), an image with only difficult objects is trained on, too."""
    devkit.add("2007", "trainval", "000009", ("dog", (4, 4, 8, 9), 1))
    data = devkit.prepare()
    images = DetectionImages(data, "train", annotated_only=True)
    assert [images[position][1]["labels"].tolist() for position in range(len(images))] == [[2, 1], [2], [1]]
    assert images[0][1]["boxes"].tolist() == [[1, 2, 10, 8], [0, 0, 20, 10]]
    for annotation in (coco := data.annotations("train"))["annotations"]:
        annotation.pop("difficult", None)
    monkeypatch.setattr(PreparedData, "annotations", lambda *_: coco)
    crowds = DetectionImages(data, "train", annotated_only=True)
    assert [crowds[position][1]["labels"].tolist() for position in range(len(crowds))] == [[2], [1]]


def test_a_box_marks_the_pixels_that_voc_counts_from_one(devkit: Devkit) -> None:
    """A box from pixel 1 to the last pixel is the whole image."""
    devkit.add("2007", "test", "000002", ("dog", (1, 1, 20, 10), 0))
    assert devkit.prepare().annotations("test")["annotations"][1]["bbox"] == [0, 0, 20, 10]


def test_image_sets_are_chosen(devkit: Devkit) -> None:
    data = devkit.prepare(train=["2012/trainval"])
    assert [image["file_name"] for image in data.annotations("train")["images"]] == [
        "VOC2012/JPEGImages/2008_000002.jpg"
    ]


FAULTS = {
    "no area": (("cat", (5, 5, 5, 8), 0), r"000001\.xml: object 1 \(cat\): bbox .* has no area; correct it, or"),
    "turned round": (("cat", (9, 5, 5, 8), 0), "object 1 .*has no area"),
    "outside": (("cat", (5, 5, 30, 8), 0), "object 1 .*reaches outside the image of 20 × 10"),
    "unknown class": (("dgo", (2, 2, 5, 5), 0), r"object 1 \(dgo\): unknown class; did you mean 'dog'"),
    "no number": (("cat", (2, "x", 5, 5), 0), "object 1 .*: bndbox/ymin is 'x', not a number"),
    "not finite": (("cat", (2, 2, "nan", 5), 0), "object 1 .*is not four numbers"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_objects_are_named_in_one_line(devkit: Devkit, fault: str) -> None:
    entry, message = FAULTS[fault]
    devkit.xml("2007", "000001").write_text(annotation("VOC2007", "000001", entry))
    with pytest.raises(MastError, match=message) as error:
        devkit.prepare()
    assert "\n" not in str(error.value) and "000001.xml" in str(error.value)
    assert not (devkit.root.parent / "prepared/manifest.json").exists()


def test_faulty_files_are_named_in_one_line(devkit: Devkit) -> None:
    xml = devkit.xml("2007", "000001")
    text = xml.read_text()
    for change, message in (
        (lambda: xml.write_text(text[:50]), r"000001\.xml: not valid XML"),
        (lambda: xml.write_text(text.replace("<width>20", "<width>21")), r"000001\.xml is stated to be 21 × 10"),
        (xml.unlink, r"000001\.xml: no such file, though VOC2007 lists image '000001'"),
        (
            (devkit.root / "VOC2007/ImageSets/Main/test.txt").unlink,
            r"Main/test\.txt: no such file; train and test name",
        ),
    ):
        change()
        with pytest.raises(MastError, match=message) as error:
            devkit.prepare()
        assert "\n" not in str(error.value)


def test_unusable_boxes_are_left_out_on_request(devkit: Devkit) -> None:
    devkit.add("2007", "trainval", "000009", ("dog", (4, 4, 4, 9), 0))
    data = devkit.prepare(unreadable="skip")
    assert data.manifest.splits["train"] == {"count": 3, "skipped": 0, "skipped_annotations": 1}


def test_image_sets_are_written_as_year_and_set() -> None:
    with pytest.raises(MastError, match="test"):
        parse(VocData, {"kind": "voc", "root": "x", "test": ["test"]}, "config")


def images_of(data: PreparedData, split: str = "test") -> list[str]:
    return [Path(image["file_name"]).name for image in data.annotations(split)["images"]]


def test_names_with_spaces_are_whole(devkit: Devkit) -> None:
    """`photo 1` is not `photo`, nor its flag."""
    names = ["photo", "photo 1", "photo 0", "photo -1", "my  photo"]
    for name in names:
        devkit.add("2007", "album", name, ("cat", (2, 2, 5, 5), 0))
    assert images_of(devkit.prepare(test=["2007/album"])) == [f"{name}.jpg" for name in names]


def test_names_of_image_sets_may_hold_spaces(devkit: Devkit) -> None:
    devkit.add("2007", "my set 1.2", "a", ("cat", (2, 2, 5, 5), 0))
    assert images_of(devkit.prepare(test=["2007/my set 1.2"])) == ["a.jpg"]


def test_lists_of_a_class_name_images_too(devkit: Devkit) -> None:
    main = devkit.root / "VOC2007/ImageSets/Main"
    devkit.add("2007", "other", "photo 1", ("cat", (2, 2, 5, 5), 0))
    (main / "cat_test.txt").write_text("\ufeff000001  1\r\nphoto 1 -1\r\n000005\t0\r\n", encoding="utf-8")
    assert images_of(devkit.prepare(test=["2007/cat_test"])) == ["000001.jpg", "photo 1.jpg", "000005.jpg"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("000001\n000001\n", r"test\.txt: lists image '000001' twice"),
        ("000001\nphoto 1\n", r"photo\.xml: no such file, though VOC2007 lists image 'photo'"),
        ("000001 cat\n", r"000001 cat\.xml: no such file"),
    ],
)
def test_lists_that_are_wrong(devkit: Devkit, lines: str, message: str) -> None:
    (devkit.root / "VOC2007/ImageSets/Main/test.txt").write_text(lines)
    with pytest.raises(MastError, match=message):
        devkit.prepare()


def test_an_image_of_two_sets_is_counted(devkit: Devkit) -> None:
    (devkit.root / "VOC2007/ImageSets/Main/train.txt").write_text("000005\n")
    data = devkit.prepare(train=["2007/train", "2007/trainval"])
    assert data.manifest.splits["train"]["repeated_images"] == 1


@pytest.mark.usefixtures("distinct_names")
def test_files_are_found_by_either_form_of_accents_and_any_suffix(devkit: Devkit) -> None:
    devkit.add("2007", "album", unicodedata.normalize("NFD", "café"), ("cat", (2, 2, 5, 5), 0))
    devkit.add("2007", "album", "plain", ("cat", (2, 2, 5, 5), 0))
    folder = devkit.root / "VOC2007"
    (folder / "JPEGImages/plain.jpg").rename(folder / "JPEGImages/plain.JPG")
    (folder / "ImageSets/Main/album.txt").write_text("café\nplain\n")
    assert images_of(devkit.prepare(test=["2007/album"])) == [unicodedata.normalize("NFD", "café.jpg"), "plain.JPG"]


def test_classes_are_the_same_in_either_form_of_accents(devkit: Devkit) -> None:
    nfd = unicodedata.normalize("NFD", "café")
    for year, image_set in (("2007", "trainval"), ("2007", "test")):
        devkit.add(year, image_set, f"{year}{image_set}", (nfd, (2, 2, 5, 5), 0))
    spec = VocData(kind="voc", root=str(devkit.root), classes=("cat", "dog", "café"))
    prepare("voc", spec, devkit.root.parent / "prepared")
    assert open_prepared(devkit.root.parent / "prepared").annotations("test")["annotations"][-1]["category_id"] == 3


def test_sizes_that_are_none_are_named(devkit: Devkit) -> None:
    xml = devkit.xml("2007", "000001")
    text = xml.read_text()
    for value, message in (
        ("nan", "width is nan, not a number of pixels; its file has 20"),
        ("x", "is 'x', not a number"),
    ):
        xml.write_text(text.replace("<width>20", f"<width>{value}"))
        with pytest.raises(MastError, match=rf"000001\.xml: .*{message}"):
            devkit.prepare()
