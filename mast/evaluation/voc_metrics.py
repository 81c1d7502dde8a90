"""VOC07's average precision of boxes, as detectron2 computes it (evaluation/pascal_voc_evaluation.py)."""

from collections import defaultdict
from typing import Any

import numpy as np

RECALLS = np.arange(0.0, 1.1, 0.1)
"""Recalls at which precision is averaged (Everingham et al. 2010, section 4.2)."""

SIDE_DIGITS, SCORE_DIGITS = 1, 3
"""Number of decimals of a detection's sides and score in the text file that VOC's evaluation reads."""

OVERLAPS = tuple(overlap / 100 for overlap in range(50, 100, 5))
"""IoU above which a detection matches an object; VOC's own evaluation uses the first."""


def voc07_average_precision(coco: dict[str, Any], predictions: list[dict[str, Any]]) -> dict[str, float | None]:
    """Return AP (mean over OVERLAPS), AP50 and AP75 in percent, means over the classes; None if there is no object to
    find.

    A detection is matched with the object of its class that it overlaps most. It is correct if that object is found for
    the first time, wrong if it is found again, and ignored if the object is difficult. VOC's boxes are one pixel wider
    than the difference of their corners; prepared boxes include this pixel. Corners and scores are rounded first, as in
    a written file.

    Args:
        coco: COCO instances; `iscrowd` marks what VOC calls difficult.
        predictions: COCO results: `image_id`, `category_id`, `score`, `bbox` [x, y, width, height] in pixels.
    """
    objects: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for annotation in coco["annotations"]:
        objects[annotation["category_id"], annotation["image_id"]].append(annotation)
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for prediction in sorted(map(_written, predictions), key=lambda one: -one["score"]):
        found[prediction["category_id"]].append(prediction)
    classes = []
    for category in sorted({category for category, _ in objects}):
        own = {image: entries for (number, image), entries in objects.items() if number == category}
        positives = sum(not entry["iscrowd"] for entries in own.values() for entry in entries)
        if positives:
            nearest = [_nearest(prediction, own.get(prediction["image_id"], [])) for prediction in found[category]]
            classes.append([_average_precision(nearest, overlap, positives) for overlap in OVERLAPS])
    if not classes:
        return dict.fromkeys(("AP", "AP50", "AP75"))
    means = dict(zip(OVERLAPS, 100 * np.mean(classes, axis=0), strict=True))
    return {"AP": float(np.mean(list(means.values()))), "AP50": float(means[0.5]), "AP75": float(means[0.75])}


def _written(prediction: dict[str, Any]) -> dict[str, Any]:
    """Return a detection as in a file of detections, whose first pixel is 1."""
    x, y, width, height = prediction["bbox"]
    left, top = (round(side + 1, SIDE_DIGITS) - 1 for side in (x, y))
    right, bottom = (round(side, SIDE_DIGITS) for side in (x + width, y + height))
    own = {"bbox": [left, top, right - left, bottom - top], "score": round(prediction["score"], SCORE_DIGITS)}
    return {**prediction, **own}


def _nearest(prediction: dict[str, Any], objects: list[dict[str, Any]]) -> tuple[float, dict[str, Any] | None]:
    """Return the object that a detection overlaps most, and their IoU."""
    if not objects:
        return 0.0, None
    x, y, width, height = np.array([entry["bbox"] for entry in objects], np.float64).T
    left, top, own_width, own_height = prediction["bbox"]
    shared = np.clip(np.minimum(x + width, left + own_width) - np.maximum(x, left), 0, None)
    shared *= np.clip(np.minimum(y + height, top + own_height) - np.maximum(y, top), 0, None)
    overlaps = shared / (width * height + own_width * own_height - shared)
    best = int(np.argmax(overlaps))
    return float(overlaps[best]), objects[best]


def _average_precision(nearest: list[tuple[float, dict[str, Any] | None]], overlap: float, positives: int) -> float:
    """Return the average precision of one class in [0, 1], from detections by falling score with their best objects."""
    taken: set[int] = set()
    right = []
    for value, entry in nearest:
        if value <= overlap or entry is None:
            right.append(False)
        elif not entry["iscrowd"]:
            right.append(entry["id"] not in taken)
            taken.add(entry["id"])
    true = np.cumsum(right)
    recall, precision = true / positives, true / np.arange(1, len(true) + 1)
    return float(np.mean([precision[recall >= least].max(initial=0.0) for least in RECALLS]))
