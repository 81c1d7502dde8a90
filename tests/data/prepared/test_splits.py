"""A split holds out the stated share, of each class if it is stratified, and depends only on the seed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mast.data.prepared.splits import random_split, stratified_split

classes = st.lists(st.integers(0, 4), min_size=1, max_size=80).map(np.array)
fractions = st.floats(0.01, 0.99)


@given(classes, fractions, st.integers(0, 100))
def test_each_class_gives_its_share(classes: np.ndarray, fraction: float, seed: int) -> None:
    kept, held_out = stratified_split(classes, fraction, seed)
    assert sorted([*kept, *held_out]) == list(range(len(classes)))
    assert list(kept) == sorted(kept) and list(held_out) == sorted(held_out)
    for label in np.unique(classes):
        members, share = np.sum(classes == label), np.sum(classes[held_out] == label)
        if members == 1:
            assert share == 0
        else:
            assert 1 <= share <= members - 1
            assert abs(share - fraction * members) <= 1


@given(classes, st.integers(0, 100))
def test_splits_are_reproducible(classes: np.ndarray, seed: int) -> None:
    first, second = (stratified_split(classes, 0.3, seed)[1] for _ in range(2))
    assert np.array_equal(first, second)


def test_seeds_draw_different_splits() -> None:
    assert not np.array_equal(random_split(100, 0.2, 0)[1], random_split(100, 0.2, 1)[1])


def test_random_split_holds_out_the_fraction() -> None:
    kept, held_out = random_split(50, 0.2, 0)
    assert (len(kept), len(held_out)) == (40, 10)
