"""Reproducible splits of a set of images into a kept part and a held-out part."""

import numpy as np


def random_split(count: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Hold out a share of `count` items at random, at least one and not all.

    Returns:
        Positions kept and positions held out, int64, each ascending.
    """
    return stratified_split(np.zeros(count, np.int64), fraction, seed)


def stratified_split(classes: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Hold out the same share of each class, rounded; a class of one item is kept whole.

    Args:
        classes: int [N].
        fraction: share to hold out, in (0, 1).
        seed: seed of the draw.

    Returns:
        Positions kept and positions held out, int64, each ascending.
    """
    order = np.random.default_rng(seed).permutation(len(classes))
    held_out = np.zeros(len(classes), bool)
    for label in np.unique(classes):
        members = order[classes[order] == label]
        share = min(max(round(fraction * len(members)), 1), len(members) - 1)
        held_out[members[:share]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
