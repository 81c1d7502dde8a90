"""COCO's three forms of a segmentation equal masks drawn here."""

import numpy as np

from mast.data.segmentation import is_empty, mask_fault, object_mask, run_lengths

SQUARE = np.zeros((6, 8), np.uint8)
SQUARE[1:4, 2:7] = 1
BY_COLUMN = SQUARE.ravel(order="F")
EDGES = np.flatnonzero(np.diff(BY_COLUMN)) + 1
COUNTS = np.diff([0, *EDGES, BY_COLUMN.size]).tolist()


def test_every_form_is_the_same_mask() -> None:
    polygon = [[2, 1, 7, 1, 7, 4, 2, 4]]
    [compressed] = run_lengths(SQUARE[None])
    for segmentation in (polygon, {"size": [6, 8], "counts": COUNTS}, compressed):
        assert mask_fault(segmentation, 8, 6) == ""
        np.testing.assert_array_equal(object_mask(segmentation, 8, 6), SQUARE)


def test_several_polygons_are_one_object() -> None:
    mask = object_mask([[0, 0, 2, 0, 2, 2, 0, 2], [4, 3, 6, 3, 6, 5, 4, 5]], 8, 6)
    assert mask[:2, :2].all() and mask[3:5, 4:6].all() and mask.sum() == 8


def test_no_mask_and_none_at_all() -> None:
    assert run_lengths(np.zeros((0, 6, 8), bool)) == []
    [empty] = run_lengths(np.zeros((1, 6, 8), bool))
    assert object_mask(empty, 8, 6).sum() == 0
    assert is_empty(empty, 8, 6) and is_empty([[1, 1, 1.1, 1, 1, 1.1]], 8, 6)
    assert not is_empty([[1, 1, 3, 1, 3, 3]], 8, 6) and not is_empty({"size": [6, 8], "counts": COUNTS}, 8, 6)


def test_what_is_no_segmentation() -> None:
    for segmentation in (
        [],
        [[1, 2, 3, 4, 5]],
        [[1, 2, 3, 4, 5, "6"]],
        [[0, 0, 1, 1, 2, float("inf")]],
        3,
        {"size": [6, 8]},
    ):
        assert mask_fault(segmentation, 8, 6)
    for size in ([6.0, 8], [8, 6], [6], None, [True, 8]):
        assert mask_fault({"size": size, "counts": COUNTS}, 8, 6)
    for far in (1e9, -1e9, 17, -9):
        assert "far outside" in mask_fault([[1, 1, 5, 1, far, 5]], 8, 6)
    for near in (16, -8, 8.5):
        assert not mask_fault([[1, 1, 5, 1, near, 5]], 8, 6)
    for counts in ("not run lengths", [40], [-1, 49], [4.0, 44]):
        assert mask_fault({"size": [6, 8], "counts": counts}, 8, 6)
