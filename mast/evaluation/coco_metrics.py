"""COCO's average precision, by its reference implementation."""

import contextlib
import io
from typing import Any, Literal

from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl")
"""The first six of COCO's summary numbers: at IoU 0.50:0.95, 0.50, 0.75, and for small, medium and large objects."""


_KINDS = {"box": "bbox", "mask": "segm"}


def average_precision(
    coco: dict[str, Any], predictions: list[dict[str, Any]], target: Literal["box", "mask"] = "box"
) -> dict[str, float | None]:
    """Return COCO AP of boxes or masks in percent; None if there is no object of that size to find.

    A prediction counts as small, medium or large by the area of its box or mask. (`COCO.loadRes` takes the box for both
    if a prediction has both.)

    Args:
        coco: COCO instances (`images`, `annotations`, `categories`).
        predictions: COCO results: `image_id`, `category_id`, `score`, `bbox` [x, y, width, height] in pixels and, for
            the target `mask`, `segmentation` in run lengths.
        target: `box` or `mask`, what is compared.

    Returns:
        METRICS → value in [0, 100], or None.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        found = _as_annotations(predictions, target)
        evaluation = COCOeval(_index(coco, coco["annotations"]), _index(coco, found), _KINDS[target])
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    values = evaluation.stats[: len(METRICS)]
    return {name: None if value < 0 else 100 * float(value) for name, value in zip(METRICS, values, strict=True)}


def _index(coco: dict[str, Any], annotations: list[dict[str, Any]]) -> COCO:
    indexed = COCO()
    indexed.dataset = {
        "images": coco["images"],
        "categories": coco["categories"],
        # Copies, because COCOeval writes into them. Annotations are renumbered, because COCOeval takes the id 0 as
        # unmatched.
        "annotations": [{**annotation, "id": number} for number, annotation in enumerate(annotations, 1)],
    }
    indexed.createIndex()
    return indexed


def _as_annotations(predictions: list[dict[str, Any]], target: str) -> list[dict[str, Any]]:
    return [
        {**prediction, "id": number, "area": _area(prediction, target), "iscrowd": 0}
        for number, prediction in enumerate(predictions, 1)
    ]


def _area(prediction: dict[str, Any], target: str) -> float:
    if target == "mask":
        return float(coco_mask.area(prediction["segmentation"]))
    return prediction["bbox"][2] * prediction["bbox"][3]
