"""Reading a file that lists images: paths, labels, splits."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mast.data.folders import SPLITS
from mast.data.names import Finder, composed
from mast.data.text import read_lines
from mast.errors import MastError
from mast.settings import nearest

if TYPE_CHECKING:
    import pandas as pd

FORMATS = (".csv", ".tsv", ".jsonl", ".txt")


@dataclass(frozen=True)
class ImageTable:
    """Images in the order of the file."""

    files: list[Path]
    labels: np.ndarray
    """int64 [N, T], a column for each target."""
    classes: dict[str, list[str]]
    """Target → names of its classes, in the order of their numbers."""
    splits: np.ndarray | None
    """`train`, `val` or `test`, str [N]; None without a column of splits."""


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
            twice, a split has another name, or a class of test is not in train.
    """
    cells = _cells(file, path)
    for column in (path, *targets, *([split] if split else [])):
        if column not in cells:
            raise MastError(f"{file}: has no column {column!r}; {nearest(column, list(cells))}")
        empty = np.flatnonzero(cells[column].str.strip() == "")
        if len(empty):
            raise MastError(f"{file}: {_line(file, empty[0])}: {column!r} is empty{_count(empty, cells)}; fill it in")
    files = _files(file, root, cells[path])
    splits = None if split is None else _splits(file, cells[split])
    classes = {target: sorted({composed(name) for name in cells[target]}) for target in targets}
    columns = [[classes[target].index(composed(name)) for name in cells[target]] for target in targets]
    labels = np.array(columns, np.int64).reshape(len(targets), len(cells)).T
    for column, (target, names) in enumerate(classes.items()):
        if len(names) < 2:
            raise MastError(f"{file}: {target!r} has one value alone, {names[0]!r}; leave it out of `targets`")
        if splits is not None and (splits == "test").any():
            trained, tested = (set(labels[rows, column]) for rows in (splits != "test", splits == "test"))
            for label in sorted(tested - trained):
                raise MastError(f"{file}: {target!r}: class {names[label]!r} is in test but not in train")
    return ImageTable(files, labels, classes, splits)


def columns_of(file: Path) -> list[str]:
    """The columns of a `.csv`, `.tsv` or `.jsonl` file.

    Raises:
        MastError: the file cannot be read.
    """
    return list(_cells(file, "path"))


def _cells(file: Path, path: str) -> pd.DataFrame:
    """The file as text: nothing is taken for a number, a date or a missing value."""
    if file.suffix not in FORMATS:
        raise MastError(f"{file}: the suffix says the format; use {', '.join(FORMATS)}")
    import pandas as pd  # slow to import, and planning imports readers

    lines = read_lines(file, "set file to the list of images")
    if file.suffix == ".txt":
        return pd.DataFrame({path: lines}, dtype=str)
    try:
        if file.suffix == ".jsonl":
            rows = [json.loads(line) for line in lines]
            cells = pd.DataFrame(rows, dtype=object).map(lambda value: "" if pd.isna(value) else str(value))
        else:
            text = io.StringIO(file.read_text(encoding="utf-8-sig"))
            comma = "," if file.suffix == ".csv" else "\t"
            cells = pd.read_csv(text, sep=comma, dtype=str, keep_default_na=False, skipinitialspace=True)
    except ValueError as error:  # pandas' errors of parsing are ValueErrors
        reason = str(error).strip().splitlines()[-1].removeprefix("Error tokenizing data. C error: ")
        raise MastError(f"{file}: cannot be read as {file.suffix[1:].upper()} ({reason})") from None
    cells.columns = [str(column).strip() for column in cells.columns]
    if cells.empty:
        raise MastError(f"{file}: lists no image")
    return cells.astype(str)


def _files(file: Path, root: Path, paths: pd.Series) -> list[Path]:
    finder = Finder()
    found = [finder.find(root / path.strip()) for path in paths]
    missing = np.array([row for row, path in enumerate(found) if path is None], np.int64)
    if len(missing):
        first = root / paths.iloc[missing[0]].strip()
        where = _line(file, missing[0])
        raise MastError(f"{file}: {where}: {first}: no such file{finder.hint(first)}{_count(missing, paths)}")
    twice = [path for path, count in Counter(found).items() if count > 1]
    if twice:
        raise MastError(f"{file}: {twice[0]} is listed more than once ({len(twice)} such images); list each once")
    return found


def _splits(file: Path, names: pd.Series) -> np.ndarray:
    known = {alias: split for split, aliases in SPLITS.items() for alias in aliases}
    splits = [known.get(name.strip().lower(), "") for name in names]
    wrong = np.array([row for row, split in enumerate(splits) if not split], np.int64)
    if len(wrong):
        shown = repr(names.iloc[wrong[0]])
        where = _line(file, wrong[0])
        raise MastError(f"{file}: {where}: split {shown} is not train, val or test{_count(wrong, names)}")
    if "train" not in splits:
        raise MastError(f"{file}: no image has the split train")
    return np.array(splits)


def _line(file: Path, row: int) -> str:
    """Where a row stands, as an editor counts."""
    return f"line {row + (2 if file.suffix in ('.csv', '.tsv') else 1)}"


def _count(rows: np.ndarray, cells: pd.Series | pd.DataFrame) -> str:
    return f" (so in {len(rows)} of {len(cells)} lines)" if len(rows) > 1 else ""
