"""Reading a file that lists images: paths, labels, splits."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mast.data.cells import Cells, read_cells
from mast.data.folders import SPLITS, check_names
from mast.data.names import Finder, composed
from mast.errors import MastError


@dataclass(frozen=True)
class ImageTable:
    """Images in the order of the file."""

    file: Path
    """The file itself."""
    files: list[Path]
    labels: np.ndarray
    """int64 [N, T], a column for each target."""
    classes: dict[str, list[str]]
    """Target → names of its classes, in the order of their numbers."""
    splits: np.ndarray | None
    """`train`, `val` or `test`, str [N]; None without a column of splits."""

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


def read_image_table(file: Path, root: Path, path: str, targets: Sequence[str], split: str | None) -> ImageTable:
    """Read a list of images and check it whole.

    Args:
        file: `.csv`, `.tsv`, `.jsonl`, or `.txt` with a path in each line.
        root: where relative paths start.
        path: name of the column of paths; of no meaning for `.txt`.
        targets: names of the columns of labels.
        split: name of the column of splits, or None.

    Raises:
        MastError: the file cannot be read, a column is missing, a cell is empty, an image does not exist or is listed
            twice, a split has another name, two classes look the same, or a class of val or test is not in train.
    """
    cells = read_cells(file, path)
    files = _files(cells, root, cells.column(path))
    splits = None if split is None else _splits(cells, cells.column(split))
    classes, columns = {}, []
    for target in targets:
        values = [composed(name) for name in cells.column(target)]
        classes[target] = sorted(set(values))
        if len(classes[target]) < 2:
            raise MastError(f"{file}: {target!r} has one value alone, {values[0]!r}; leave it out of `targets`")
        check_names(f"{file}: {target!r}", classes[target])
        numbers = {name: number for number, name in enumerate(classes[target])}
        columns.append([numbers[value] for value in values])
    labels = np.array(columns, np.int64).reshape(len(targets), len(cells)).T
    table = ImageTable(file, files, labels, classes, splits)
    if splits is not None:
        for other in ("val", "test"):
            table.check_classes(np.flatnonzero(splits == "train"), np.flatnonzero(splits == other), other)
    return table


def columns_of(file: Path) -> list[str]:
    """The columns of a `.csv`, `.tsv` or `.jsonl` file.

    Raises:
        MastError: the file cannot be read.
    """
    return list(read_cells(file, "path").columns)


def _files(cells: Cells, root: Path, paths: list[str]) -> list[Path]:
    finder = Finder()
    found = [finder.find(root / path.strip()) for path in paths]
    missing = [row for row, path in enumerate(found) if path is None]
    if missing:
        first = paths[missing[0]].strip()
        slashes = "\\" in first and finder.find(root / first.replace("\\", "/")) is not None
        hint = "; write / between folders" if slashes else finder.hint(root / first)
        raise MastError(f"{cells.at(missing)}: {root / first}: no such file{hint}{cells.count(missing)}")
    counts = Counter(map(os.path.normpath, found))
    twice = [path for path, count in counts.items() if count > 1]
    if twice:
        first = f"{cells.file}: {twice[0]} is listed more than once"
        raise MastError(f"{first} ({len(twice)} such images); list each once")
    return found


def _splits(cells: Cells, names: list[str]) -> np.ndarray:
    known = {alias: split for split, aliases in SPLITS.items() for alias in aliases}
    splits = [known.get(name.strip().lower(), "") for name in names]
    wrong = [row for row, split in enumerate(splits) if not split]
    if wrong:
        shown = repr(names[wrong[0]])
        raise MastError(f"{cells.at(wrong)}: split {shown} is not train, val or test{cells.count(wrong)}")
    if "train" not in splits:
        raise MastError(f"{cells.file}: no image has the split train")
    return np.array(splits)
