"""Boxes, areas and masks of drawn scenes fit their pixels, and published scenes never change."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mast.data.embedded.glyphs import GLYPHS
from mast.data.embedded.scenes import render_scenes
from mast.data.prepare import prepare
from mast.data.prepared.store import open_prepared
from mast.data.readers.shapes_scenes import ScenesData

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools


@pytest.fixture(scope="module")
def scenes() -> tuple[np.ndarray, dict[str, Any]]:
    return render_scenes(80, 96, 4, seed=0)


def masks_of(coco: dict[str, Any], image_id: int) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """bool [n, H, W], and the annotations."""
    found = [annotation for annotation in coco["annotations"] if annotation["image_id"] == image_id]
    return np.stack([coco_mask.decode(annotation["segmentation"]) for annotation in found]).astype(bool), found


def test_boxes_and_areas_are_those_of_the_masks(scenes: tuple[np.ndarray, dict[str, Any]]) -> None:
    images, coco = scenes
    for image_id in range(len(images)):
        for mask, annotation in zip(*masks_of(coco, image_id), strict=True):
            rows, columns = np.nonzero(mask)
            x, y, width, height = annotation["bbox"]
            assert (x, y) == (columns.min(), rows.min())
            assert (x + width, y + height) == (columns.max() + 1, rows.max() + 1)
            assert annotation["area"] == mask.sum() > 20


def test_masks_are_the_coloured_pixels(scenes: tuple[np.ndarray, dict[str, Any]]) -> None:
    images, coco = scenes
    for image_id, image in enumerate(images[:40]):
        masks, _ = masks_of(coco, image_id)
        high, low = image.max(-1).astype(float), image.min(-1).astype(float)
        coloured = (high - low) / np.maximum(high, 1) > 0.45
        assert np.mean(coloured != masks.any(0)) < 0.02
        assert masks.sum(0).max() == 1, "no object covers another"


def test_every_scene_has_1_to_max_objects(scenes: tuple[np.ndarray, dict[str, Any]]) -> None:
    _, coco = scenes
    counts = np.bincount([annotation["image_id"] for annotation in coco["annotations"]], minlength=80)
    assert set(counts) == {1, 2, 3, 4}


def test_every_category_occurs(scenes: tuple[np.ndarray, dict[str, Any]]) -> None:
    _, coco = scenes
    assert [category["name"] for category in coco["categories"]] == list(GLYPHS)
    assert {annotation["category_id"] for annotation in coco["annotations"]} == set(range(1, 9))
    assert [annotation["id"] for annotation in coco["annotations"]] == list(range(1, len(coco["annotations"]) + 1))


def test_a_scene_depends_on_its_position_and_not_on_the_count(scenes: tuple[np.ndarray, dict[str, Any]]) -> None:
    images, coco = scenes
    few, few_coco = render_scenes(5, 96, 4, seed=0)
    assert np.array_equal(few, images[:5])
    assert few_coco["annotations"] == [a for a in coco["annotations"] if a["image_id"] < 5]
    other, _ = render_scenes(5, 96, 4, seed=0, split="test")
    assert not any(np.array_equal(a, b) for a, b in zip(few, other, strict=True))


def test_the_scenes_of_generator_version_1_never_change() -> None:
    images, coco = render_scenes(3, 64, 3, seed=0)
    digest = hashlib.sha256(images.tobytes() + json.dumps(coco, sort_keys=True).encode()).hexdigest()
    assert digest == "f763b18745568e25642cdeb1f49b97122969ff10a6c8844e8bf44607d758a328"


@pytest.mark.parametrize(("size", "max_objects"), [(32, 1), (33, 6), (200, 12)])
def test_other_sizes_and_counts(size: int, max_objects: int) -> None:
    images, coco = render_scenes(15, size, max_objects, seed=1)
    assert images.shape == (15, size, size, 3)
    for image_id in range(15):
        masks, annotations = masks_of(coco, image_id)
        assert 1 <= len(annotations) <= max_objects
        assert masks.sum(0).max() == 1
        assert all(annotation["area"] > 0 for annotation in annotations)


def test_prepared_scenes_open_in_pycocotools(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pycocotools.coco import COCO

    spec = ScenesData(kind="shapes-scenes", train=6, test=4, size=48)
    for name in "ab":
        prepare("scenes", spec, tmp_path / name)
    data = open_prepared(tmp_path / "a")
    data.verify()
    assert data.manifest == open_prepared(tmp_path / "b").manifest
    assert data.targets == {"box": list(GLYPHS)}
    assert data.images("test").shape == (4, 48, 48, 3)
    assert [image["id"] for image in data.annotations("test")["images"]] == [0, 1, 2, 3]
    coco = COCO(tmp_path / "a/train_annotations.json")
    assert coco.getImgIds() == list(range(6))
    capsys.readouterr()
