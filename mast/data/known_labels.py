"""The labels and objects that a dataset will have, as far as they are known before it is prepared."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class KnownLabels:
    """Labels int64 [N, T], a column for each target; of each split in any order. −1: the class is to be ignored."""

    classes: dict[str, int]
    """Target → number of classes."""
    train: np.ndarray
    test: np.ndarray
    validation: np.ndarray
    """Positions in `train`."""

    def fitted(self, split: Literal["test", "val"]) -> np.ndarray:
        """The labels that a protocol with this `split` learns from."""
        return self.train if split == "test" else np.delete(self.train, self.validation, axis=0)

    def scored(self, split: Literal["test", "val"]) -> np.ndarray:
        """The labels on which it is scored."""
        return self.test if split == "test" else self.train[self.validation]

    def class_sizes(self, rows: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """Target, and the number of images of each of its classes among labels int64 [N, T]: int64 [C], without −1."""
        for column, (target, classes) in enumerate(self.classes.items()):
            labels = rows[:, column]
            yield target, np.bincount(labels[labels >= 0], minlength=classes)


@dataclass(frozen=True)
class KnownObjects:
    """What is known of the objects of detection data."""

    annotated: int | None
    """Training images with an object to learn from; None where only preparing the data tells."""
    without_mask: str | None
    """An object, or the kind of data, that has no mask; None where every object has one."""
