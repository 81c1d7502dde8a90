"""Rows of images with labels and splits, wherever they are listed."""

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
    """Where they are listed: a file, or a directory of shards."""
    labels: np.ndarray
    """int64 [N, T], a column for each target."""
    classes: dict[str, list[str]]
    """Target → names of its classes, in the order of their numbers."""
    splits: np.ndarray | None
    """`train`, `val` or `test`, str [N]; None where nothing says so."""

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def check_splits(self) -> None:
        """Every class among the rows of val or test is among those of train.

        Raises:
            MastError: a class is not.
        """
        for other in () if self.splits is None else ("val", "test"):
            self.check_classes(np.flatnonzero(self.splits == "train"), np.flatnonzero(self.splits == other), other)

    def check_classes(self, train: np.ndarray, other: np.ndarray, split: str) -> None:
        """Every class among the rows of another split is among those of train.

        Raises:
            MastError: a class is not.
        """
        for column, (target, names) in enumerate(self.classes.items()):
            for label in np.setdiff1d(self.labels[other, column], self.labels[train, column]):
                raise MastError(f"{self.file}: {target!r}: class {names[label]!r} is in {split} but not in train")

    def check_readable(self, rows: np.ndarray, kept: np.ndarray, split: str) -> None:
        """No class is lost with the images that cannot be read.

        Raises:
            MastError: none of the images of a class, in this split, are among the rows that are kept.
        """
        for column, (target, names) in enumerate(self.classes.items()):
            for label in np.setdiff1d(self.labels[rows, column], self.labels[kept, column]):
                raise MastError(f"{self.file}: {target!r}: of class {names[label]!r} no image of {split} can be read")


def labels_of(
    cells: Cells, targets: Sequence[str], orders: Mapping[str, Sequence[str]]
) -> tuple[dict[str, list[str]], np.ndarray]:
    """Classes of each target, and labels int64 [N, T].

    Args:
        cells: the columns.
        targets: names of the columns of labels.
        orders: target → the order of its classes, where it is not that of their names.

    Raises:
        MastError: a column is missing, a cell is empty, or two classes look the same; a column has one value alone.
    """
    classes, columns = {}, []
    for target in targets:
        values = [composed(name) for name in cells.column(target)]
        found = set(values)
        classes[target] = [name for name in map(composed, orders[target]) if name in found] if target in orders else []
        classes[target] = classes[target] or sorted(found)
        if len(found) < 2:
            raise MastError(f"{cells.file}: {target!r} has one value alone, {values[0]!r}; leave it out of `targets`")
        check_names(f"{cells.file}: {target!r}", classes[target])
        numbers = {name: number for number, name in enumerate(classes[target])}
        columns.append([numbers[value] for value in values])
    return classes, np.array(columns, np.int64).reshape(len(targets), len(cells)).T


def splits_of(cells: Cells, column: str) -> np.ndarray:
    """`train`, `val` or `test` of each row, str [N].

    Raises:
        MastError: there is no such column, or a cell says something else; no row is for training.
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
