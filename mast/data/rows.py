"""Rows of images with labels and splits, from any list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mast.data.cells import Cells
from mast.data.folders import SPLITS, check_names
from mast.data.names import composed
from mast.errors import MastError


@dataclass(frozen=True)
class Rows:
    """Labels and splits of images, in the order in which they are listed."""

    file: Path
    """File, or directory of shards, that lists them."""
    labels: np.ndarray
    """Labels, int64 [N, T], a column for each target."""
    classes: dict[str, list[str]]
    """Target → names of its classes, in the order of their numbers."""
    splits: np.ndarray | None
    """`train`, `val` or `test`, str [N]; None if no split is given."""

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def check_splits(self) -> None:
        """Check that every class in val or test occurs in train.

        Raises:
            MastError: a class does not.
        """
        for other in () if self.splits is None else ("val", "test"):
            self.check_classes(np.flatnonzero(self.splits == "train"), np.flatnonzero(self.splits == other), other)

    def check_classes(self, train: np.ndarray, other: np.ndarray, split: str) -> None:
        """Check that every class in the rows of another split occurs in those of train.

        Raises:
            MastError: a class does not.
        """
        for column, (target, names) in enumerate(self.classes.items()):
            for label in np.setdiff1d(self.labels[other, column], self.labels[train, column]):
                raise MastError(f"{self.file}: {target!r}: class {names[label]!r} is in {split} but not in train")

    def check_readable(self, rows: np.ndarray, kept: np.ndarray, split: str) -> None:
        """Check that no class is lost because its images cannot be read.

        Raises:
            MastError: no image of a class, in this split, is among the rows that are kept.
        """
        for column, (target, names) in enumerate(self.classes.items()):
            for label in np.setdiff1d(self.labels[rows, column], self.labels[kept, column]):
                raise MastError(f"{self.file}: {target!r}: of class {names[label]!r} no image of {split} can be read")


def labels_of(
    cells: Cells, targets: Sequence[str], orders: Mapping[str, Sequence[str]]
) -> tuple[dict[str, list[str]], np.ndarray]:
    """Return the classes of each target, and labels int64 [N, T].

    Args:
        cells: the rows.
        targets: names of the columns of labels.
        orders: target → its classes in order, if they are not sorted by name.

    Raises:
        MastError: a column is missing, a cell is empty, or two classes look the same; a column has only one value.
    """
    classes, columns = {}, []
    for target in targets:
        values = [composed(name) for name in cells.column(target)]
        found = set(values)
        classes[target] = [name for name in map(composed, orders[target]) if name in found] if target in orders else []
        classes[target] = classes[target] or sorted(found)
        if len(found) < 2:
            raise MastError(f"{cells.file}: {target!r} has only one value, {values[0]!r}; leave it out of `targets`")
        check_names(f"{cells.file}: {target!r}", classes[target])
        numbers = {name: number for number, name in enumerate(classes[target])}
        columns.append([numbers[value] for value in values])
    return classes, np.array(columns, np.int64).reshape(len(targets), len(cells)).T


def splits_of(cells: Cells, column: str) -> np.ndarray:
    """Return `train`, `val` or `test` of each row, str [N].

    Raises:
        MastError: there is no such column, a cell has another value, or no row is for training.
    """
    names = cells.column(column)
    known = {alias: split for split, aliases in SPLITS.items() for alias in aliases}
    splits = [known.get(name.strip().lower(), "") for name in names]
    wrong = [row for row, split in enumerate(splits) if not split]
    if wrong:
        shown = repr(names[wrong[0]])
        raise MastError(f"{cells.at(wrong)}: split {shown} is not train, val or test{cells.count(wrong)}")
    if "train" not in splits:
        raise MastError(f"{cells.file}: no image has the split train")
    return np.array(splits)
