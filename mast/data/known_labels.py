"""Labels and objects of a dataset, as far as they are known before it is prepared."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class KnownLabels:
    """Labels int64 [N, T], a column for each target; rows of each split are in any order. −1: the class is ignored."""

    classes: dict[str, int]
    """Target → number of classes."""
    train: np.ndarray
    test: np.ndarray
    validation: np.ndarray
    """Positions in `train`."""

    def fitted(self, split: Literal["test", "val"]) -> np.ndarray:
        """Return the labels that a protocol with this `split` learns from."""
        return self.train if split == "test" else np.delete(self.train, self.validation, axis=0)

    def scored(self, split: Literal["test", "val"]) -> np.ndarray:
        """Return the labels on which such a protocol is scored."""
        return self.test if split == "test" else self.train[self.validation]

    def class_sizes(self, rows: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each target and the number of images of each of its classes among labels int64 [N, T]: int64 [C],
        without −1.
        """
        for column, (target, classes) in enumerate(self.classes.items()):
            labels = rows[:, column]
            yield target, np.bincount(labels[labels >= 0], minlength=classes)


@dataclass(frozen=True)
class KnownObjects:
    """What is known about the objects of detection data."""

    annotated: int | None
    """Number of training images with an object to learn from; None if not known before preparing."""
    without_mask: str | None
    """Description of an object, or of the kind of data, that has no mask; None if every object has one."""
