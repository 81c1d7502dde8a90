"""Annotation values in any spelling become the form that the scorer needs, or are refused."""

import numpy as np
import pytest

from mast.data.annotations import boxes_fault, fits, identity, in_order, is_crowd, is_number, numbers, side


@pytest.mark.parametrize(
    ("value", "expected"),
    [(7, 7), (7.0, 7), ("7", 7), ("-7", -7), ("007", "007"), ("x", "x"), (0, 0), (10**30, 10**30), ("7 ", "7 ")],
)
def test_ids_in_any_spelling(value: object, expected: object) -> None:
    assert identity(value) == expected and type(identity(value)) is type(expected)


@pytest.mark.parametrize("value", [None, True, 1.5, float("nan"), float("inf"), [1], {}])
def test_what_is_no_id(value: object) -> None:
    assert identity(value) is None


def test_ids_are_kept_where_the_scorer_can_use_them() -> None:
    assert numbers([5, 1, 2**53 - 1], positive=True) == {5: 5, 1: 1, 2**53 - 1: 2**53 - 1}
    assert numbers([0, 5, -3], positive=False) == {0: 0, 5: 5, -3: -3}
    for unusable in (0, -3, 2**53, "a"):
        assert numbers([5, unusable], positive=True) == {5: 1, unusable: 2}
    assert numbers([5, -(2**53)], positive=False) == {5: 1, -(2**53): 2}
    assert in_order(["b", 10, "a", 9]) == [9, 10, "a", "b"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, 0), (False, 0), (True, 1), (0, 0), (1, 1), (1.0, 1), ("0", 0), ("1", 1)]
    + [(value, None) for value in (2, -1, 0.5, "yes", "", [], float("nan"))],
)
def test_crowds(value: object, expected: int | None) -> None:
    assert is_crowd(value) == expected


def test_numbers_are_finite() -> None:
    assert all(map(is_number, (0, -2.5, 10**20, 1e99)))
    assert not any(map(is_number, (True, "1", None, float("nan"), float("inf"), 10**400, 1e101, [])))


def test_areas_are_those_of_an_object_in_its_box() -> None:
    box = [3, 3, 10, 5]
    assert all(fits(area, box) for area in (50, 1e-3, 12, 11 * 6))
    assert not any(fits(area, box) for area in (0, -1, 85, None, "50", float("nan"), True))


def test_sides() -> None:
    assert [side(value) for value in (None, 20, 20.0, "20", 0)] == [None, 20, 20, 20, 0]
    for value in ("x", float("nan"), True, 1.5, []):
        with pytest.raises(ValueError, match="whole number"):
            side(value)


SIZES = np.full((40, 2), [100, 80])
RNG = np.random.default_rng(0)


def boxes(count: int) -> np.ndarray:
    """Right ones: [x, y, width, height] anywhere in the image."""
    start = RNG.uniform(0, 60, (count, 2))
    return np.concatenate([start, RNG.uniform(5, SIZES[:count] - start)], axis=1)


def as_corners(values: np.ndarray) -> np.ndarray:
    return np.concatenate([values[:, :2], values[:, :2] + values[:, 2:]], axis=1)


NOT_STATED = np.full(40, np.nan)


def test_right_boxes_are_not_suspected() -> None:
    right = boxes(40)
    assert boxes_fault(right, NOT_STATED, SIZES, 1) == ""
    assert boxes_fault(right, right[:, 2:].prod(1), SIZES, 1) == ""
    large = np.tile([[5, 5, 90, 70]], (40, 1)).astype(float)  # of one object that fills its image
    assert boxes_fault(large, NOT_STATED, SIZES, 1) == ""
    large[3] = [20, 5, 90, 70]  # one of which reaches outside
    assert boxes_fault(large, NOT_STATED, SIZES, 1) == ""
    assert boxes_fault(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 2)), 1) == ""
    assert boxes_fault(np.array([[0, 0, 1, 1]]), NOT_STATED[:1], SIZES[:1], 1) == ""


def test_corners_are_suspected() -> None:
    right = boxes(40)
    assert "look like corners" in boxes_fault(as_corners(right), NOT_STATED, SIZES, 1)
    small = np.concatenate([RNG.uniform(0, 20, (40, 2)), RNG.uniform(3, 9, (40, 2))], axis=1)
    assert boxes_fault(as_corners(small), NOT_STATED, SIZES, 1) == "", "inside the image either way"
    assert "look like corners" in boxes_fault(as_corners(small), small[:, 2:].prod(1), SIZES, 1), "their areas tell"


def test_shares_are_suspected() -> None:
    assert "shares of the image" in boxes_fault(boxes(40) / np.tile(SIZES, 2), NOT_STATED, SIZES, 1)
