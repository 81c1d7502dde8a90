"""Average precision of perfect, absent and random detections, the last compared with another implementation."""

import numpy as np
import pytest
from faster_coco_eval import COCO, COCOeval_faster

from mast.data.segmentation import run_lengths
from mast.evaluation.coco_metrics import METRICS, average_precision


def scenes(images: int, per_image: int, seed: int) -> dict:
    """Random boxes of all of COCO's sizes, two categories, one crowd."""
    generator = np.random.default_rng(seed)
    annotations = []
    for image in range(images):
        for _ in range(per_image):
            width, height = generator.choice([20.0, 60.0, 150.0]) * generator.uniform(0.8, 1.2, 2)
            x, y = generator.uniform(0, 200, 2)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(generator.integers(1, 3)),
                    "bbox": [x, y, width, height],
                    "area": width * height,
                    "iscrowd": int(len(annotations) == 3),
                }
            )
    return {
        "images": [{"id": image, "width": 400, "height": 400} for image in range(images)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
    }


def detections(coco: dict, jitter: float, seed: int = 0) -> list[dict]:
    """The annotated boxes, moved at random, with random scores."""
    generator = np.random.default_rng(seed)
    return [
        {
            "image_id": annotation["image_id"],
            "category_id": annotation["category_id"],
            "bbox": [value + jitter * generator.normal() for value in annotation["bbox"]],
            "score": float(generator.uniform()),
        }
        for annotation in coco["annotations"]
    ]


def test_ground_truth_as_detections_is_perfect() -> None:
    coco = scenes(10, 5, seed=0)
    assert average_precision(coco, detections(coco, 0.0)) == pytest.approx(dict.fromkeys(METRICS, 100.0))


def test_random_detections_score_as_in_another_implementation() -> None:
    coco = scenes(20, 5, seed=1)
    found = detections(coco, 4.0) + detections(coco, 30.0, seed=2)
    truth = COCO({**coco, "annotations": [dict(annotation) for annotation in coco["annotations"]]})
    oracle = COCOeval_faster(truth, truth.loadRes([dict(entry) for entry in found]), "bbox")
    oracle.evaluate()
    oracle.accumulate()
    oracle.summarize()
    ours = average_precision(coco, found)
    assert 1 < ours["AP"] < 99
    np.testing.assert_allclose(list(ours.values()), 100 * np.array(oracle.stats[:6]), rtol=1e-6)


def masked(image_size: int = 100, seed: int = 0) -> tuple[dict, list[dict]]:
    """Return ellipses as annotations, and moved ones as predictions; some masks are small, their boxes medium."""
    generator = np.random.default_rng(seed)
    coco = scenes(8, 0, seed)
    rows, columns = np.mgrid[:image_size, :image_size]
    predictions = []
    for number in range(40):
        (y, x), (a, b) = generator.uniform(20, 80, 2), generator.choice([(5, 12), (18, 19), (30, 45)])
        ellipse = ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 < 1
        moved = np.roll(ellipse, tuple(generator.integers(-3, 4, 2)), axis=(0, 1))
        shared = {"image_id": number % 8, "category_id": 1 + number % 2}
        for mask, entries in ((ellipse, coco["annotations"]), (moved, predictions)):
            [code] = run_lengths(mask[None])
            where = np.where(mask)
            top, left = (int(index.min()) for index in where)
            bottom, right = (int(index.max()) + 1 for index in where)
            entries.append({**shared, "segmentation": code, "bbox": [left, top, right - left, bottom - top]})
        coco["annotations"][-1] |= {"id": number + 1, "area": int(ellipse.sum()), "iscrowd": 0}
        predictions[-1]["score"] = float(generator.uniform())
    return coco, predictions


def test_masks_score_as_in_another_implementation() -> None:
    coco, predictions = masked()
    truth = COCO({**coco, "annotations": [dict(annotation) for annotation in coco["annotations"]]})
    values = {}
    for target, kind, left_out in (("box", "bbox", "segmentation"), ("mask", "segm", "bbox")):
        results = [{key: value for key, value in entry.items() if key != left_out} for entry in predictions]
        oracle = COCOeval_faster(truth, truth.loadRes(results), kind)
        oracle.evaluate()
        oracle.accumulate()
        oracle.summarize()
        values[target] = average_precision(coco, predictions, target)
        ours = [-100 if value is None else value for value in values[target].values()]
        np.testing.assert_allclose(ours, 100 * np.array(oracle.stats[:6]), rtol=1e-6)
    assert 1 < values["mask"]["AP"] < 99
    assert values["mask"]["AP"] != values["box"]["AP"]


def test_masks_of_the_ground_truth_are_perfect() -> None:
    coco, _ = masked()
    found = [{**annotation, "score": 1.0} for annotation in coco["annotations"]]
    assert average_precision(coco, found, "mask")["AP"] == pytest.approx(100)
    assert average_precision(coco, found, "box")["AP"] == pytest.approx(100)


def test_nothing_found_is_zero_and_sizes_without_objects_are_undefined() -> None:
    coco = scenes(3, 2, seed=0)
    for annotation in coco["annotations"]:
        annotation.update(bbox=[0, 0, 10, 10], area=100, iscrowd=0)
    assert average_precision(coco, []) == {"AP": 0, "AP50": 0, "AP75": 0, "APs": 0, "APm": None, "APl": None}


def test_a_detection_of_the_wrong_class_is_none() -> None:
    coco = scenes(10, 5, seed=0)
    swapped = [{**found, "category_id": 3 - found["category_id"]} for found in detections(coco, 0.0)]
    assert average_precision(coco, swapped)["AP"] < 10


def test_the_annotations_are_left_as_they_were() -> None:
    coco = scenes(3, 2, seed=0)
    keys = [set(annotation) for annotation in coco["annotations"]]
    average_precision(coco, detections(coco, 1.0))
    assert [set(annotation) for annotation in coco["annotations"]] == keys
