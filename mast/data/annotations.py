"""Checks and normalisation of COCO annotation values that the scorer and the detector rely on."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

LARGEST_ID = 2**53 - 1
"""Largest whole number that every reader of JSON keeps exactly (RFC 8259, section 6)."""

_HUGE = 1e100

Id = int | str


def identity(value: Any) -> Id | None:
    """Return an id as a whole number if it is one in any spelling (7, 7.0, "7"), or as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and len(value) < 20 and value.removeprefix("-").isdecimal() and str(int(value)) == value:
        return int(value)
    return value if isinstance(value, int | str) else None


def in_order(ids: Iterable[Id]) -> list[Id]:
    """Return ids sorted: whole numbers first, then texts."""
    return sorted(ids, key=lambda value: (isinstance(value, str), value))


def numbers(ids: Sequence[Id], positive: bool) -> dict[Id, int]:
    """Return id → number. Whole numbers up to LARGEST_ID (and above 0, if `positive`) are kept if all ids are; else 1,
    2, ….

    Ids of annotations must be positive: pycocotools reads 0 as no match, and faster-coco-eval reads negative ids so.
    """
    own = all(isinstance(value, int) and abs(value) <= LARGEST_ID and (value > 0 or not positive) for value in ids)
    return {value: value if own else position for position, value in enumerate(ids, 1)}


def is_crowd(value: Any) -> int | None:
    """Return `iscrowd` as 0 or 1. Null, true, 1.0 and "1" are accepted; None is returned for anything else."""
    if value is None:
        return 0
    if isinstance(value, str):
        value = identity(value)
    return int(value) if isinstance(value, bool | int | float) and value in (0, 1) else None


def is_number(value: Any) -> bool:
    """Whether a value of a JSON file is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -_HUGE < value < _HUGE


def fits(area: Any, box: Sequence[float]) -> bool:
    """Return whether an area fits an object with this box [x, y, width, height]: positive, and not larger.

    One more pixel on each side is allowed, since some converters count both ends.
    """
    return is_number(area) and 0 < area <= (box[2] + 2) * (box[3] + 2)


def side(value: Any) -> int | None:
    """Return a stated width or height in pixels; None if none is stated.

    Raises:
        ValueError: it is not a whole number.
    """
    if value is None:
        return None
    number = identity(value)
    if not isinstance(number, int):
        raise ValueError(f"{value!r} is no whole number")
    return number


def boxes_fault(boxes: np.ndarray, areas: np.ndarray, sizes: np.ndarray, tolerance: float) -> str:
    """Return what is wrong with how all boxes of a file are written together ("" if nothing looks wrong).

    Args:
        boxes: [N, 4], as x, y, width, height in pixels.
        areas: [N], as stated; NaN if not stated.
        sizes: [N, 2], width and height of the images.
        tolerance: distance by which a box may extend over the edge, pixels.
    """
    if not len(boxes):
        return ""
    if boxes.max() <= 1 and np.any(boxes % 1) and sizes.min() > 2:
        return "all boxes lie in 0 … 1: shares of the image? COCO's are pixels, [x, y, width, height]"
    first, second = boxes[:, :2], boxes[:, 2:]
    as_corners = np.all((second > first) & (first >= -tolerance) & (second <= sizes + tolerance))
    outside = np.any(first + second > sizes + tolerance, axis=1)
    sides, spans = second.prod(1), (second - first).prod(1)
    of_corners = np.isclose(areas, spans, rtol=0.01) & ~np.isclose(areas, sides, rtol=0.01)
    if as_corners and (outside.sum() > max(1, len(boxes) / 10) or 2 * of_corners.sum() > len(boxes)):
        return "the boxes look like corners [x1, y1, x2, y2]; COCO's are [x, y, width, height]"
    return ""
