"""COCO segmentations, polygons or run lengths: checks, and conversion to masks."""

from itertools import cycle
from reprlib import repr as brief
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from mast.data.annotations import is_number


def mask_fault(segmentation: Any, width: int, height: int) -> str:
    """Return what is wrong with the segmentation of an object in an image of this size ("" if nothing is).

    Valid are a list of polygons [x1, y1, x2, y2, x3, y3, …] in pixels, and run lengths {size: [height, width], counts}
    with counts a list of integers or COCO's compressed string.
    """
    if isinstance(segmentation, list):
        if not segmentation or not all(map(_is_polygon, segmentation)):
            return "is not a list of polygons"
        placed = (pair for values in segmentation for pair in zip(values, cycle((width, height)), strict=False))
        if not all(-side <= value <= 2 * side for value, side in placed):  # the memory of masks grows with polygons
            return f"reaches far outside the image of {width} × {height} pixels"
        return ""
    if not isinstance(segmentation, dict) or not isinstance(segmentation.get("counts"), str | list):
        return "is neither a list of polygons nor run lengths (size, counts)"
    if segmentation.get("size") != [height, width] or not all(type(side) is int for side in segmentation["size"]):
        return f"has run lengths of size {brief(segmentation.get('size'))}, the image has [{height}, {width}]"
    counts = segmentation["counts"]
    if isinstance(counts, list):
        whole = all(type(count) is int and count >= 0 for count in counts) and sum(counts) == height * width
        return "" if whole else "has counts that do not add up to the image's pixels"
    try:
        coco_mask.decode(segmentation)
    except (ValueError, UnicodeEncodeError):
        return "has counts that are not COCO's compressed run lengths"
    return ""


def object_mask(segmentation: Any, width: int, height: int) -> np.ndarray:
    """Return the mask of an object, uint8 [height, width] of 0 and 1; the segmentation must be valid."""
    return coco_mask.decode(_compressed(segmentation, width, height))


def is_empty(segmentation: Any, width: int, height: int) -> bool:
    """Return whether a valid segmentation covers no pixel, such as one of an object narrower than a pixel."""
    return int(coco_mask.area(_compressed(segmentation, width, height))) == 0


def _compressed(segmentation: Any, width: int, height: int) -> dict[str, Any]:
    if isinstance(segmentation, list):
        return coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    if isinstance(segmentation["counts"], list):
        return coco_mask.frPyObjects(segmentation, height, width)
    return segmentation


def run_lengths(masks: np.ndarray) -> list[dict[str, Any]]:
    """Return COCO's compressed run lengths, ready for JSON, of each mask in bool or uint8 [n, height, width]."""
    codes = coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8)))
    return [{"size": list(code["size"]), "counts": code["counts"].decode("ascii")} for code in codes]


def _is_polygon(values: Any) -> bool:
    if not isinstance(values, list) or len(values) < 6 or len(values) % 2:
        return False
    return all(map(is_number, values))
