"""`table`: images listed in a file, with labels of several targets and splits in its columns."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from mast.data import outside
from mast.data.image_table import METADATA, ImageTable, lists_below, read_image_table
from mast.data.readers import DataPath
from mast.data.readers._rows import RowsData
from mast.files import path_below


class TableData(RowsData):
    """Images listed in a file: CSV, TSV, JSON lines (as `metadata.csv` and `.jsonl` of Hugging Face's ImageFolder), or
    plain text with a path in each line. Each target is a column; without targets the images are unlabeled."""

    kind: Literal["table"]
    file: DataPath
    """List of the images: `.csv`, `.tsv`, `.jsonl` or `.txt`. The first line of a CSV or TSV file names its columns. A
    directory with `metadata.csv` or `.jsonl` in the folder of each split is read as Hugging Face's ImageFolder; paths
    start there.
    """
    path: Annotated[str, Field(min_length=1)] = "path"
    """Column of the images' paths: absolute, or relative to `root`."""
    targets: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Columns of the labels; each becomes a target, and its distinct values are the classes."""
    split: str | None = None
    """Column with `train`, `val` (or `valid`, `validation`) or `test` for each image. Without it, all images are for
    training except those of `test_fraction`.
    """
    test_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the images that becomes the test split if there is no `split`, drawn with `split_seed`, stratified by
    the first target.
    """
    licence: str = "not stated"
    """Licence of the data, recorded in the manifest."""

    @model_validator(mode="after")
    def _splits_come_from_one_place(self) -> "TableData":
        self._check_columns(path=self.path)
        return self

    @cached_property
    def _table(self) -> ImageTable:
        return read_image_table(Path(self.file), Path(self.root), self.path, self.targets, self.split)

    def _images(self, rows: np.ndarray) -> list[Path]:
        return [self._table.files[row] for row in rows]

    def sources(self) -> Iterator[outside.Place]:
        """Return the file, or the files of a directory, and the images that they list."""
        file = Path(self.file)
        if file.is_dir():
            yield outside.Tree(self.file, suffixes=METADATA)
        for own in lists_below(file) if file.is_dir() else [file]:
            yield outside.Text(str(own))
        yield outside.Listed(self.root, tuple(path_below(self.root, file) for file in self._table.files))
