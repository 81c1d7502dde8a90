"""The labels that a data set will have, as far as they are known before it is prepared."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from mast.config import DataSpec, DigitsData, FolderData, ShapesData
from mast.data.embedded.shapes import TARGETS, draw_labels
from mast.data.prepared.splits import random_split, stratified_split
from mast.data.readers.folder import TARGET, list_splits

DIGITS = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)
"""Images of each digit in scikit-learn's set, which takes a second to import."""


@dataclass(frozen=True)
class KnownLabels:
    """Labels int64 [N, T], a column for each target."""

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


@cache
def known_labels(spec: DataSpec) -> KnownLabels | None:
    """Labels of embedded data and of labelled folders (of `digits` in another order); None for others."""
    if isinstance(spec, ShapesData):
        train, test = draw_labels(spec.train, spec.seed, "train"), draw_labels(spec.test, spec.seed, "test")
        validation = random_split(spec.train, spec.validation_fraction, spec.split_seed)[1]
        return KnownLabels({target: len(names) for target, names in TARGETS.items()}, train, test, validation)
    if isinstance(spec, DigitsData):
        labels = np.repeat(np.arange(len(DIGITS)), DIGITS)
        train, test = stratified_split(labels, spec.test_fraction, spec.split_seed)
        return _one_target("digit", len(DIGITS), labels[train], labels[test], spec)
    if isinstance(spec, FolderData):
        splits = list_splits(Path(spec.root))
        if "test" in splits:
            train = splits["train"]
            return _one_target(TARGET, len(train.classes), train.labels, splits["test"].labels, spec)
    return None


def _one_target(
    target: str, classes: int, train: np.ndarray, test: np.ndarray, spec: DigitsData | FolderData
) -> KnownLabels:
    validation = stratified_split(train, spec.validation_fraction, spec.split_seed)[1]
    return KnownLabels({target: classes}, train[:, None], test[:, None], validation)
