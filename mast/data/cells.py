"""Cells of a file with columns, as text: CSV, TSV, JSON lines, or one path per line."""

import csv
import io
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mast.data.text import read_text
from mast.errors import MastError
from mast.settings import nearest

FORMATS = (".csv", ".tsv", ".jsonl", ".txt")


@dataclass(frozen=True)
class Cells:
    """Rows of a file by column. Nothing is converted to a number, a date or a missing value, except JSON's null."""

    file: Path
    columns: dict[str, list[Any]]
    lines: Sequence[int | str]
    """Line in which each row begins, as an editor counts; or the row's number or key."""
    unit: str = "line"
    """Unit of `lines`: `line`, `row` or `key`."""

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.lines)

    def column(self, name: str) -> list[str]:
        """Return the text of a column.

        Raises:
            MastError: there is no such column; a cell is empty, or is a list or an object.
        """
        if name not in self.columns:
            raise no_column(self.file, name, self.columns)
        values = self.columns[name]
        nested = [row for row, value in enumerate(values) if isinstance(value, list | dict)]
        if nested:
            raise MastError(f"{self.at(nested)}: {name!r} is a list or an object; it has to be text or a number")
        texts = ["" if value is None or value != value else str(value) for value in values]
        empty = [row for row, text in enumerate(texts) if not text.strip()]
        if empty:
            raise MastError(f"{self.at(empty)}: {name!r} is empty{self.count(empty)}; fill it in")
        return texts

    def at(self, rows: list[int]) -> str:
        """Return file and line of the first of some rows, for messages."""
        return f"{self.file}: {self.unit} {self.lines[rows[0]]!r}"

    def count(self, rows: list[int]) -> str:
        """Return the number of affected rows, for messages; "" for one row."""
        return f" (so in {len(rows)} of {len(self)} rows)" if len(rows) > 1 else ""


@dataclass(frozen=True)
class JoinedCells(Cells):
    """Rows of several files, one after another; `file` names them as a whole."""

    parts: Sequence[Cells] = ()

    @classmethod
    def of(cls, file: Path, parts: Sequence[Cells]) -> "JoinedCells":
        """Join the parts."""
        return cls(file, {}, [line for part in parts for line in part.lines], parts=parts)

    def column(self, name: str) -> list[str]:
        """Return the text of a column, which every part has; see `Cells.column`."""
        return [text for part in self.parts for text in part.column(name)]

    def at(self, rows: list[int]) -> str:
        """Return file and line of the first of some rows, for messages."""
        row = rows[0]
        for part in self.parts:
            if row < len(part):
                return part.at([row])
            row -= len(part)
        raise IndexError(rows[0])


def no_column(file: Path, name: str, columns: Collection[str]) -> MastError:
    """Return the error for a missing column; the message lists the existing ones."""
    hint = nearest(name, columns)
    those = "" if hint.startswith("choose") else f"; it has {', '.join(columns)}"
    return MastError(f"{file}: has no column {name!r}; {hint}{those}")


def read_cells(file: Path, path: str) -> Cells:
    """Read a file; `path` is the name of the column of a `.txt` file. Blank lines are skipped.

    Raises:
        MastError: the file cannot be read, does not have the format of its suffix, or has no rows or columns.
    """
    suffix = file.suffix.lower()
    if suffix not in FORMATS:
        raise MastError(f"{file}: the suffix says the format; use {', '.join(FORMATS)}")
    text = read_text(file, "set file to the list of images")
    if suffix == ".txt":
        cells = Cells(file, *_plain(text, path))
    elif suffix == ".jsonl":
        cells = Cells(file, *_json_lines(file, text))
    else:
        cells = Cells(file, *_separated(file, text, "," if suffix == ".csv" else "\t"))
    if not len(cells) or not cells.columns:
        raise MastError(f"{file}: lists no image")
    return cells


Rows = tuple[dict[str, list[Any]], list[int]]
"""Columns and lines of `Cells`."""


def _plain(text: str, path: str) -> Rows:
    found = list(_not_blank(text))
    return {path: [line for _, line in found]}, [number for number, _ in found]


def _json_lines(file: Path, text: str) -> Rows:
    rows, lines = [], []
    for number, line in _not_blank(text):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise MastError(f"{file}: line {number}: cannot be read as JSONL ({error})") from None
        if not isinstance(row, dict):
            raise MastError(f'{file}: line {number}: is not a JSON object, such as {{"path": …}}')
        rows.append(row)
        lines.append(number)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}, lines


def _not_blank(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if stripped := line.strip(" \t\r"):
            yield number, stripped


def _separated(file: Path, text: str, mark: str) -> Rows:
    """Read rows of separated cells. The first row that is not blank names the columns; unnamed ones are left out."""
    found = _records(file, text, mark)
    names = [name.strip() for name in next(found, (0, []))[1]]
    named = [name for name in names if name]
    for name in named:
        if named.count(name) > 1:
            raise MastError(f"{file}: has {named.count(name)} columns {name!r}; give each a name of its own")
    rows, lines = [], []
    for number, row in found:
        if any(cell.strip() for cell in row[len(names) :]):
            hint = f'; a cell that holds "{mark}" stands in quotes' if mark == "," else ""
            raise MastError(f"{file}: line {number}: has {len(row)} cells, but there are {len(names)} columns{hint}")
        rows.append([*row[: len(names)], *[""] * (len(names) - len(row))])
        lines.append(number)
    columns = zip(*rows, strict=True) if rows else [[]] * len(names)
    return {name: list(values) for name, values in zip(names, columns, strict=True) if name}, lines


def _records(file: Path, text: str, mark: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line and cells of each row that is not blank; a quoted cell may contain line ends."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True, strict=True)
    start = 1
    try:
        for row in reader:
            if len(row) > 1 or any(cell.strip() for cell in row):
                yield start, row
            start = reader.line_num + 1
    except csv.Error as error:
        kind = file.suffix[1:].upper()
        raise MastError(f"{file}: line {start}: cannot be read as {kind} ({error})") from None
