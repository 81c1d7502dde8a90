"""COCO files with any ids and values: perfect detections of what was prepared score 100 AP, or the file is refused."""

import contextlib
import copy
import io
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_coco_eval import COCO, COCOeval_faster
from PIL import Image
from support.coco_source import INSTANCES, Instances, Source

from mast.data.prepared.store import PreparedData
from mast.data.segmentation import object_mask, run_lengths
from mast.errors import MastError
from mast.evaluation.coco_metrics import average_precision
from mast.evaluation.detection_images import DetectionImages


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Two images of two classes, one crowd; every object has a mask."""
    source = Source(tmp_path)
    for instances in source.instances.values():
        instances["annotations"].insert(2, {"id": 4, "image_id": 9, "category_id": 8, "bbox": [2, 2, 6, 6]})
        for annotation in instances["annotations"]:
            x, y, w, h = annotation["bbox"]
            annotation["segmentation"] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    return source


def perfect(data: PreparedData) -> dict[str, float | None]:
    """AP of detections that are the prepared test objects themselves, of boxes and of masks."""
    coco = data.annotations("test")
    sizes = {image["id"]: (image["width"], image["height"]) for image in coco["images"]}
    found = []
    for entry in coco["annotations"]:
        if not entry["iscrowd"]:
            mask = object_mask(entry["segmentation"], *sizes[entry["image_id"]])
            kept = {key: entry[key] for key in ("image_id", "category_id", "bbox")}
            found.append({**kept, "score": 0.9, "segmentation": run_lengths(mask[None])[0]})
    return {target: average_precision(coco, found, target)["AP"] for target in ("box", "mask")}


def by_another_scorer(data: PreparedData) -> float:
    """AP of the same detections by faster-coco-eval, from the prepared file as it is."""
    coco = data.annotations("test")
    truth = COCO()
    truth.dataset = {key: coco[key] for key in ("images", "annotations", "categories")}
    found = [{**entry, "score": 0.9} for entry in copy.deepcopy(coco["annotations"]) if not entry["iscrowd"]]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval_faster(truth, truth.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return 100 * evaluation.stats[0]


def renamed(instances: Instances, part: str, ids: Callable[[int], Any]) -> None:
    """Give the entries of a part new ids, by position, and the annotations that refer to them, too."""
    new = {entry["id"]: ids(position) for position, entry in enumerate(instances[part])}
    for entry in instances[part]:
        entry["id"] = new[entry["id"]]
    if part != "annotations":
        for annotation in instances["annotations"]:
            key = {"images": "image_id", "categories": "category_id"}[part]
            annotation[key] = new[annotation[key]]


IDS: dict[str, Callable[[int], Any]] = {
    "from zero": lambda position: position,
    "negative": lambda position: -1 - position,
    "around zero": lambda position: position - 1,
    "texts": lambda position: "abcdef"[position],
    "digits": lambda position: str(position),
    "floats": lambda position: float(position),
    "padded": lambda position: f"{position:012d}",
    "huge": lambda position: 10**30 + position,
    "beyond floats": lambda position: 2**53 + position,
    "beyond 64 bits and negative": lambda position: (2**64, -(2**63), 5, 6, 7)[position],
    "gaps": lambda position: 1000 * position + 3,
    "mixed": lambda position: (3, "x", 1.0, "2", -4)[position],
}


@pytest.mark.parametrize("part", ["annotations", "images", "categories"])
@pytest.mark.parametrize("ids", IDS)
def test_perfect_detections_score_100_whatever_the_ids(source: Source, part: str, ids: str) -> None:
    for instances in source.instances.values():
        renamed(instances, part, IDS[ids])
    data = source.prepare()
    assert perfect(data) == {"box": pytest.approx(100), "mask": pytest.approx(100)}
    coco = data.annotations("test")
    for entry in (*coco["images"], *coco["annotations"]):
        assert type(entry["id"]) is int and abs(entry["id"]) < 2**53
    assert all(entry["id"] > 0 for entry in coco["annotations"])
    assert by_another_scorer(data) == pytest.approx(100)
    assert len(DetectionImages(data, "train", annotated_only=True, masks=True)) == 2


def test_new_ids_are_counted_and_right_ones_are_kept(source: Source) -> None:
    assert [entry["id"] for entry in source.prepare().annotations("test")["annotations"]] == [1, 2, 4, 5]
    renamed(source.instances["test"], "annotations", lambda position: position)
    data = source.prepare()
    assert [entry["id"] for entry in data.annotations("test")["annotations"]] == [1, 2, 3, 4]
    assert data.manifest.splits["test"]["renumbered_annotations"] == 4
    assert "renumbered_annotations" not in data.manifest.splits["train"]
    renamed(source.instances["test"], "images", lambda position: "ab"[position])
    assert source.prepare().manifest.splits["test"]["renumbered_images"] == 2


def test_the_scorer_needs_no_ids() -> None:
    """Data prepared by an older version may hold the id 0, which pycocotools takes for no match."""
    entries = [{"id": key, "image_id": 1, "category_id": 1, "bbox": [9 * key, 0, 8, 8]} for key in (0, 1)]
    coco = {"images": [{"id": 1}], "categories": [{"id": 1}]}
    coco["annotations"] = [{**entry, "area": 64, "iscrowd": 0} for entry in entries]
    found = [{"image_id": 1, "category_id": 1, "bbox": entry["bbox"], "score": 0.5} for entry in entries]
    assert average_precision(coco, found)["AP"] == pytest.approx(100)


def of_train(source: Source, position: int = 0) -> dict[str, Any]:
    return source.prepare().annotations("train")["annotations"][position]


@pytest.mark.parametrize("value", [None, False, True, 1.0, "1", "0", 0, 1])
def test_iscrowd_is_0_or_1(source: Source, value: Any) -> None:
    source.instances["train"]["annotations"][0]["iscrowd"] = value
    source.instances["train"]["annotations"][1]["category_id"] = 3
    entry = of_train(source)
    assert type(entry["iscrowd"]) is int and entry["iscrowd"] == int(value or 0)
    counts = source.prepare().manifest.splits["train"]
    assert counts.get("replaced_iscrowd", 0) == (type(value) is not int)


@pytest.mark.parametrize("value", [2, -1, "yes", [0], float("nan")])
def test_iscrowd_of_no_meaning_is_refused_or_left_out(source: Source, value: Any) -> None:
    source.instances["train"]["annotations"][2]["iscrowd"] = value
    with pytest.raises(MastError, match=r"annotation 4 .*: iscrowd is .*, neither 0 nor 1; correct it, or set"):
        source.prepare()
    assert source.prepare(unreadable="skip").manifest.splits["train"]["skipped_annotations"] == 1


@pytest.mark.parametrize("value", [None, 0, -3, 1e9, "12", float("nan"), True, 10**400])
def test_areas_that_cannot_be_are_replaced_and_counted(source: Source, value: Any) -> None:
    for instances in source.instances.values():
        instances["annotations"][0]["area"] = value
    data = source.prepare()
    assert data.annotations("test")["annotations"][0]["area"] == 20
    assert data.manifest.splits["test"]["replaced_areas"] == 1
    assert perfect(data)["box"] == pytest.approx(100)


def test_missing_areas_are_those_of_the_boxes_and_stated_ones_stay(source: Source) -> None:
    data = source.prepare()
    assert [entry["area"] for entry in data.annotations("test")["annotations"]] == [12.5, 25, 36, 200]
    assert "replaced_areas" not in data.manifest.splits["test"]


NO_BOXES = [[1, 1, 2, float("nan")], [1, 1, float("inf"), 2], [1, True, 2, 2], [1, 1, 10**400, 2]]


@pytest.mark.parametrize("value", NO_BOXES)
def test_boxes_of_no_numbers_are_named_or_left_out(source: Source, value: list[Any]) -> None:
    source.instances["train"]["annotations"][2]["bbox"] = value
    with pytest.raises(MastError, match=r"annotation 4 \(image sub/b\.png\): bbox .* is not four numbers \[x, y, wid"):
        source.prepare()
    assert source.prepare(unreadable="skip").manifest.splits["train"]["skipped_annotations"] == 1


@pytest.mark.parametrize("box", [[15, 5, 1e-7, 3], [15, 5, 3, 0.009], [19.999, 5, 1, 1]])
def test_boxes_too_thin_for_the_detector_are_refused_or_left_out(source: Source, box: list[float]) -> None:
    source.instances["train"]["annotations"][2]["bbox"] = box
    message = r"annotation 4 .*(is thinner than 0\.01 pixels|has no area inside the image); correct it"
    with pytest.raises(MastError, match=message):
        source.prepare()
    data = source.prepare(unreadable="skip")
    for _, target, _ in (DetectionImages(data, "train")[position] for position in range(2)):
        assert (target["boxes"][:, 2:] > target["boxes"][:, :2]).all()


def test_images_with_more_objects_than_are_scored_are_named(source: Source) -> None:
    one = source.instances["train"]["annotations"][2]
    source.instances["train"]["annotations"] += [{**one, "id": key} for key in range(100, 200)]
    data = source.prepare()
    assert data.manifest.splits["train"]["crowded_images"] == 1
    assert data.manifest.named == {"train": {"crowded_images": ["sub/b.png"]}}


def test_corners_in_the_place_of_sides_stop_even_where_faults_are_skipped(source: Source) -> None:
    for instances in source.instances.values():
        for annotation in instances["annotations"]:
            x, y, w, h = annotation["bbox"]
            annotation["bbox"] = [x + 1, y + 1, min(x + w, 20) + 0.5, min(y + h, 10) + 0.5]
    for unreadable in ("stop", "skip"):
        with pytest.raises(MastError, match=r"train\.json: the boxes look like corners \[x1, y1, x2, y2\]; COCO's are"):
            source.prepare(unreadable=unreadable)


def test_one_box_outside_that_would_fit_as_corners_says_so(source: Source) -> None:
    source.instances["train"]["annotations"][2]["bbox"] = [8, 2, 16, 9]
    with pytest.raises(MastError, match=r"annotation 4 .*outside the image of 20 × 10 pixels \(it would fit as cor"):
        source.prepare()


def test_shares_of_the_image_stop(source: Source) -> None:
    for annotation in source.instances["train"]["annotations"]:
        annotation["bbox"] = [0.1, 0.2, 0.5, 0.5]
    with pytest.raises(MastError, match=r"train\.json: all boxes lie in 0 … 1: shares of the image"):
        source.prepare(unreadable="skip")


@pytest.mark.parametrize("value", ["20", 20.0, None])
def test_stated_sizes_in_any_spelling(source: Source, value: Any) -> None:
    source.instances["train"]["images"][0]["width"] = value
    assert source.prepare().annotations("train")["images"][0]["width"] == 20


@pytest.mark.parametrize("value", ["wide", float("nan"), 20.5, [20], True])
def test_sizes_that_are_none_are_named(source: Source, value: Any) -> None:
    source.instances["train"]["images"][0]["width"] = value
    with pytest.raises(MastError, match=r"image 7 \(a\.png\): width is .*, not a number of pixels; its file has 20"):
        source.prepare()


@pytest.mark.parametrize("value", [[], None, {}])
def test_an_empty_segmentation_is_none_and_counted(source: Source, value: Any) -> None:
    source.instances["train"]["annotations"][0]["segmentation"] = value
    data = source.prepare()
    assert "segmentation" not in data.annotations("train")["annotations"][0]
    assert data.manifest.splits["train"]["empty_segmentations"] == 1
    with pytest.raises(MastError, match="annotation 1 has no segmentation"):
        DetectionImages(data, "train", masks=True)


def test_segmentations_of_no_pixel_are_counted(source: Source) -> None:
    source.instances["train"]["annotations"][0]["segmentation"] = [[1, 2, 1.1, 2, 1, 2.1]]
    source.instances["train"]["annotations"][1]["segmentation"] = {"size": [10, 20], "counts": [200]}
    assert source.prepare().manifest.splits["train"]["empty_masks"] == 2


@pytest.mark.parametrize("value", [[[]], [[1, 1, 2, 2]], [[1, 1, 2, 2, True, 3]], [1, 1, 2, 2, 3, 3], {"counts": 1}, 5])
def test_segmentations_that_are_none_are_refused_or_left_out(source: Source, value: Any) -> None:
    source.instances["train"]["annotations"][2]["segmentation"] = value
    with pytest.raises(MastError, match=r"annotation 4 .*segmentation .*; correct it, or set unreadable: skip"):
        source.prepare()
    assert source.prepare(unreadable="skip").manifest.splits["train"]["skipped_annotations"] == 1


def categories(*names: Any) -> list[dict[str, Any]]:
    return [{"id": key, "name": name} for key, name in zip((8, 3), names, strict=True)]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("cat", "cat"), r"train\.json: two categories are called 'cat', 8 and 3; give each its own name"),
        (("cat", "cat\u200b"), r"two categories are called 'cat.*characters that do not show\)"),
        (("café", unicodedata.normalize("NFD", "café")), r"two categories .*how accents are stored \(NFC and NFD\)"),
        (("cat", " "), r"train\.json: category 3: its name is empty"),
        (("cat", None), r"train\.json: category 3: name is missing or not of type str"),
        (("cat", 5), r"train\.json: category 3: name is missing or not of type str"),
    ],
)
def test_names_of_categories(source: Source, names: tuple[Any, Any], message: str) -> None:
    source.instances["train"]["categories"] = categories(*names)
    with pytest.raises(MastError, match=message) as error:
        source.prepare()
    assert "\n" not in str(error.value)


def test_classes_are_the_same_in_either_form_of_accents(source: Source) -> None:
    source.instances["train"]["categories"] = categories("dog", "café")
    source.instances["test"]["categories"] = categories("dog", unicodedata.normalize("NFD", "café"))
    data = source.prepare()
    assert data.targets == {"box": ["café", "dog"]}
    assert [entry["category_id"] for entry in data.annotations("test")["annotations"]] == [1, 2, 2, 1]


@pytest.mark.parametrize(("name", "how"), [("Cat", "by case"), ("cat ", "spaces at an end"), ("c\u200bat", "not show")])
def test_a_class_of_test_that_looks_like_one_of_train(source: Source, name: str, how: str) -> None:
    source.instances["test"]["categories"] = categories("dog", name)
    with pytest.raises(MastError, match=f"is annotated in test but not in .*; rename one: .* and 'cat': they .*{how}"):
        source.prepare()


@pytest.mark.usefixtures("distinct_names")
def test_files_are_found_by_either_form_of_accents(source: Source) -> None:
    there = source.path / "train" / unicodedata.normalize("NFD", "é.png")
    (source.path / "train/a.png").rename(there)
    source.instances["train"]["images"][0]["file_name"] = "é.png"
    data = source.prepare()
    assert data.annotations("train")["images"][0]["file_name"] == there.name
    data.verify()


@pytest.mark.usefixtures("distinct_names")
def test_a_file_of_other_case_is_named(source: Source) -> None:
    source.instances["train"]["images"][0]["file_name"] = "A.PNG"
    with pytest.raises(MastError, match=r"names 'A\.PNG', which is not in .*; there is another, .* differ by case"):
        source.prepare()


def test_an_image_that_stands_twice_is_counted(source: Source) -> None:
    source.instances["train"]["images"].append({"id": 11, "file_name": "a.png"})
    assert source.prepare().manifest.splits["train"]["repeated_images"] == 1


def test_usual_files_keep_their_hash(tmp_path: Path) -> None:
    """Recorded before any value was put in order."""
    source = Source(tmp_path)
    Image.fromarray(np.zeros((10, 20, 3), np.uint8)).save(tmp_path / "train/a.png")
    data = source.prepare()
    assert data.annotations("train")["annotations"][0] == {**INSTANCES["annotations"][0], "category_id": 1}
    assert data.manifest.splits["train"] == {"count": 2, "skipped": 0, "skipped_annotations": 0}
    assert data.manifest.spec.keys().isdisjoint({"range", "exif"}) and data.manifest.named == {}


@pytest.mark.parametrize("levels", ["minmax", [0, 4095]])
def test_deep_images_are_seen_by_the_detector_as_they_were_prepared(source: Source, levels: Any) -> None:
    values = np.linspace(0, 4095, 200).astype(np.uint16).reshape(10, 20)
    for split in ("train", "test"):
        for name in ("a.png", "sub/b.png"):
            Image.fromarray(values).save(source.path / split / name)
    full = source.prepare()
    assert full.manifest.splits["train"]["narrow"] == 2
    assert DetectionImages(full, "train")[0][0].max().item() == pytest.approx(16 / 255)
    data = source.prepare(range=levels)
    pixels = DetectionImages(data, "train")[0][0].numpy()
    np.testing.assert_allclose(pixels[0], values / 4095, atol=0.5 / 255 + 1e-6)
    assert data.mean == pytest.approx([pixels.mean()] * 3, abs=1e-5) and data.sha256 != full.sha256


ODD = [
    None,
    True,
    -1,
    1.5,
    float("inf"),
    10**400,
    "",
    "x",
    [],
    [1, 1, 3, 3],
    [[1e9] * 6],
    {},
    "\ud800",
    "a.png\0",
    "a\nb",
]
FIELDS = {
    "images": ("id", "file_name", "width", "height"),
    "annotations": ("id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation"),
    "categories": ("id", "name"),
}


@pytest.mark.parametrize(("part", "field"), [(part, field) for part, fields in FIELDS.items() for field in fields])
def test_whatever_stands_in_a_field_it_is_put_in_order_or_one_line(source: Source, part: str, field: str) -> None:
    for value in ODD:
        changed = copy.deepcopy(source.instances)
        changed["test"][part][0][field] = value
        try:
            data = source.prepare_these(changed)
        except MastError as error:
            assert "\n" not in str(error) and len(str(error)) < 400, str(error)[:400]
        else:
            assert by_another_scorer(data) == pytest.approx(100)
            assert len([DetectionImages(data, "test")[position] for position in range(data.count("test"))]) == 2
