"""Average precision: perfect, absent and random detections, the last against another implementation."""

import numpy as np
import pytest
from faster_coco_eval import COCO, COCOeval_faster

from mast.transfer.coco_metrics import METRICS, average_precision


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
