"""COCO annotations are cleaned and joined with their images; every fault is one line that names it."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.coco_source import Source

from mast.errors import MastError


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def test_cleaned_annotations(source: Source) -> None:
    data = source.prepare(licence="CC0")
    data.verify()
    assert data.targets == {"box": ["cat", "dog"]}
    assert data.manifest.splits["train"] == {"count": 2, "skipped": 0, "skipped_annotations": 0}
    coco = data.annotations("train")
    assert coco["images_root"] == str(source.path / "train")
    assert coco["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    first, second, third = coco["annotations"]
    assert first == {"id": 1, "image_id": 7, "category_id": 1, "bbox": [1, 2, 5, 4], "area": 12.5, "iscrowd": 0}
    assert (second["category_id"], second["bbox"], second["iscrowd"]) == (2, [15, 5, 5, 5], 0)
    assert second["segmentation"] == [[15, 5, 20, 5, 20, 10]]
    assert third["iscrowd"] == 1 and third["area"] == 200
    digest = hashlib.sha256((source.path / "train/sub/b.png").read_bytes()).hexdigest()
    assert coco["images"][1] == {"id": 9, "file_name": "sub/b.png", "width": 20, "height": 10, "sha256": digest}


def test_statistics_are_over_all_training_pixels(source: Source) -> None:
    data = source.prepare()
    np.testing.assert_allclose(data.mean, [0.5, 0, 0.5])
    np.testing.assert_allclose(data.std, [0.5, 0, 0.5])


def test_preparing_twice_gives_the_same_identity(source: Source) -> None:
    assert source.prepare().manifest == source.prepare().manifest


def test_categories_are_matched_by_name(source: Source) -> None:
    source.instances["test"]["categories"] = [{"id": 3, "name": "dog"}, {"id": 8, "name": "cat"}]
    test = source.prepare().annotations("test")
    assert test["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    assert [annotation["category_id"] for annotation in test["annotations"]] == [2, 1, 2]


def test_changed_image_is_seen(source: Source) -> None:
    data = source.prepare()
    Image.new("RGB", (20, 10)).save(source.path / "test/a.png")
    with pytest.raises(MastError, match=r"test/a\.png: has changed"):
        data.verify()


def test_images_without_annotations_stay(source: Source) -> None:
    source.instances["train"]["annotations"].pop()
    assert len(source.prepare().annotations("train")["images"]) == 2


def change(part: str, position: int, **values: object) -> Callable[[dict[str, Any]], None]:
    def apply(instances: dict[str, Any]) -> None:
        instances[part][position].update(values)

    return apply


def drop(*keys: str | int) -> Callable[[dict[str, Any]], None]:
    def apply(instances: dict[str, Any]) -> None:
        for key in keys[:-1]:
            instances = instances[key]
        del instances[keys[-1]]

    return apply


FAULTS = {
    "no images": (drop("images"), r"test\.json: no list 'images'"),
    "no annotations": (drop("annotations"), r"test\.json: no list 'annotations'"),
    "no categories": (drop("categories"), r"test\.json: no list 'categories'"),
    "images a mapping": (lambda v: v.update(images={}), r"test\.json: no list 'images'"),
    "empty": (lambda v: v.update(annotations=[]), r"test\.json: 'annotations' is empty"),
    "missing image": (change("images", 0, file_name="c.png"), r"test\.json: image 7 names 'c\.png', which is not in"),
    "unknown image": (change("annotations", 1, image_id=8), "annotation 2: image_id 8 is not in images"),
    "unknown category": (change("annotations", 1, category_id=4), "annotation 2: category_id 4 is not in categories"),
    "no area": (change("annotations", 0, bbox=[1, 1, 0, 5]), "annotation 1 .*has no area; correct it, or"),
    "negative side": (change("annotations", 0, bbox=[1, 1, 2, -5]), "annotation 1 .*has no area"),
    "outside": (change("annotations", 2, bbox=[10, 0, 15, 5]), "annotation 5 .*outside the image of 20 × 10"),
    "left of it": (change("annotations", 2, bbox=[-3, 0, 15, 5]), "annotation 5 .*outside the image"),
    "edge only": (change("annotations", 2, bbox=[20, 0, 0.5, 5]), "annotation 5 .*no area inside"),
    "short box": (change("annotations", 0, bbox=[1, 1, 2]), "annotation 1 .*not four numbers"),
    "text in box": (change("annotations", 0, bbox=[1, 1, 2, "3"]), "annotation 1 .*not four numbers"),
    "NaN in box": (change("annotations", 0, bbox=[1, 1, 2, float("nan")]), "annotation 1 .*not four numbers"),
    "no box": (drop("annotations", 0, "bbox"), "annotation 1: bbox is missing or not of type list"),
    "no id": (drop("annotations", 2, "id"), "annotation at position 2 has no integer id"),
    "id twice": (change("annotations", 2, id=1), "two entries of kind annotation have the id 1"),
    "image id twice": (change("images", 1, id=7), "two entries of kind image have the id 7"),
    "category name twice": (change("categories", 1, name="dog"), "two categories are called 'dog'"),
    "no file name": (drop("images", 0, "file_name"), "image 7: file_name is missing or not of type str"),
    "other size": (change("images", 0, width=21), r"image 7 \(a\.png\) is stated to be 21 × 10 .* file is 20 × 10"),
    "polygon of two points": (
        change("annotations", 1, segmentation=[[15, 5, 20, 5]]),
        "annotation 2 .*segmentation is not a list of polygons; correct it, or",
    ),
    "run lengths of another image": (
        change("annotations", 1, segmentation={"size": [20, 10], "counts": [200]}),
        r"annotation 2 .*run lengths of size \[20, 10\], the image has \[10, 20\]",
    ),
    "run lengths too short": (
        change("annotations", 1, segmentation={"size": [10, 20], "counts": [100]}),
        "annotation 2 .*counts that do not add up",
    ),
    "class not in train": (change("categories", 0, name="bird"), r"test\.json: class 'bird' is annotated in test but"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named_in_one_line(source: Source, fault: str) -> None:
    apply, message = FAULTS[fault]
    apply(source.instances["test"])
    with pytest.raises(MastError, match=message) as error:
        source.prepare()
    assert "\n" not in str(error.value) and "test.json" in str(error.value)
    assert not (source.path / "prepared/manifest.json").exists()


def test_class_that_train_lists_but_never_shows(source: Source) -> None:
    for annotation in source.instances["train"]["annotations"]:
        annotation["category_id"] = 3
    with pytest.raises(MastError, match="class 'dog' is annotated in test but not in"):
        source.prepare()


def test_unusable_boxes_are_left_out_on_request(source: Source) -> None:
    source.instances["train"]["annotations"][0]["bbox"] = [1, 1, 0, 5]
    data = source.prepare(unreadable="skip")
    assert [annotation["id"] for annotation in data.annotations("train")["annotations"]] == [2, 5]
    assert data.manifest.splits["train"] == {"count": 2, "skipped": 0, "skipped_annotations": 1}


def test_truncated_image_stops_or_is_skipped(source: Source) -> None:
    (source.path / "train/a.png").write_bytes((source.path / "train/a.png").read_bytes()[:45])
    source.instances["train"]["annotations"][2]["category_id"] = 8
    with pytest.raises(MastError, match=r"train/a\.png: cannot be read as an image .* unreadable: skip"):
        source.prepare()
    source.instances["test"]["annotations"] = source.instances["test"]["annotations"][1:2]
    data = source.prepare(unreadable="skip")
    assert data.manifest.splits["train"]["skipped"] == 1
    assert [image["id"] for image in data.annotations("train")["images"]] == [9]
    assert [annotation["id"] for annotation in data.annotations("train")["annotations"]] == [5]


@pytest.mark.parametrize("content", ["{", "[]", "\ufeff?", "null"])
def test_files_that_are_no_annotations(source: Source, content: str) -> None:
    source.prepare()
    (source.path / "train.json").write_text(content)
    with pytest.raises(MastError, match=r"train\.json: .*COCO instances JSON"):
        source.prepare_as_it_is()


def test_missing_annotation_file(source: Source) -> None:
    with pytest.raises(MastError, match=r"train\.json: no such file; set annotations"):
        source.prepare_as_it_is()


def test_missing_image_directory(source: Source) -> None:
    (source.path / "test").rename(source.path / "elsewhere")
    with pytest.raises(MastError, match="test: no such directory; set images"):
        source.prepare()
