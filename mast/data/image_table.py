"""Read a file that lists images: paths, labels, splits."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mast.data.cells import Cells, JoinedCells, read_cells
from mast.data.names import Finder
from mast.data.rows import Rows, labels_of, splits_of
from mast.data.shards.find import by_name, find_shards
from mast.errors import MastError

METADATA = ("metadata.csv", "metadata.jsonl")
"""Names of lists of Hugging Face's ImageFolder, next to the images of a split (huggingface/datasets,
src/datasets/packaged_modules/folder_based_builder/folder_based_builder.py).
"""


@dataclass(frozen=True)
class ImageTable(Rows):
    """Images in the order of a file."""

    files: list[Path]


def read_image_table(file: Path, root: Path, path: str, targets: Sequence[str], split: str | None) -> ImageTable:
    """Read a list of images and check all of it.

    Args:
        file: `.csv`, `.tsv`, `.jsonl`, or `.txt` with a path in each line. Or a directory that contains METADATA files
            at any depth: paths start at the folder of each, and the names of folders give the splits.
        root: directory where the relative paths of a file start.
        path: name of the column of paths; not used for `.txt`.
        targets: names of the columns of labels.
        split: name of the column of splits, or None.

    Raises:
        MastError: a file cannot be read, a column is missing, a cell is empty, an image does not exist or is listed
            twice, a split has another name, two classes look the same, or a class of val or test is not in train.
    """
    lists = _lists(file, split) if file.is_dir() else {"train": [file]}
    parts = [read_cells(one, path) for own in lists.values() for one in own]
    files = [image for part in parts for image in files_of(part, path, part.file.parent if file.is_dir() else root)]
    _check_once(file, files)
    cells = JoinedCells.of(file, parts)
    splits = None
    if split is not None:
        splits = splits_of(cells, split)
    elif len(lists) > 1:
        splits = np.repeat([name for name, own in lists.items() for _ in own], list(map(len, parts)))
    classes, labels = labels_of(cells, targets, {})
    table = ImageTable(file, labels, classes, splits, files)
    table.check_splits()
    return table


def lists_below(directory: Path) -> list[Path]:
    """Return the METADATA files below a directory, at any depth, sorted.

    Raises:
        MastError: there are none, or a directory cannot be read.
    """
    found = [file for file in find_shards(directory, METADATA) if file.name.lower() in METADATA]
    if not found:
        raise MastError(f"{directory}: holds no {' or '.join(METADATA)}")
    return found


def _lists(directory: Path, split: str | None) -> dict[str, list[Path]]:
    found = lists_below(directory)
    return by_name(directory, found, "the column `split`") if split is None else {"train": found}


def columns_of(file: Path) -> dict[str, list[Any]]:
    """Return the values of each column of a list, or of the columns that all lists in a directory have.

    Raises:
        MastError: a file cannot be read.
    """
    parts = [read_cells(one, "path").columns for one in (lists_below(file) if file.is_dir() else [file])]
    shared = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: [value for part in parts for value in part[name]] for name in shared}


def files_of(cells: Cells, column: str, root: Path) -> list[Path]:
    """Return the files named by a column of paths, below `root` or with absolute paths.

    Raises:
        MastError: there is no such column, or a cell is empty; a file does not exist, or is listed twice.
    """
    paths = cells.column(column)
    finder = Finder()
    found = [finder.find(root / path.strip()) for path in paths]
    missing = [row for row, path in enumerate(found) if path is None]
    if missing:
        first = paths[missing[0]].strip()
        slashes = "\\" in first and finder.find(root / first.replace("\\", "/")) is not None
        hint = "; write / between folders" if slashes else finder.hint(root / first)
        raise MastError(f"{cells.at(missing)}: {root / first}: no such file{hint}{cells.count(missing)}")
    _check_once(cells.file, found)
    return found


def _check_once(file: Path, images: list[Path]) -> None:
    counts = Counter(map(os.path.normpath, images))
    twice = [path for path, count in counts.items() if count > 1]
    if twice:
        raise MastError(f"{file}: {twice[0]} is listed more than once ({len(twice)} such images); list each once")
