"""`table`: images that a file lists, with labels of several targets and splits in its columns."""

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from mast.data import outside
from mast.data.image_table import ImageTable, read_image_table
from mast.data.known_labels import KnownLabels
from mast.data.prepared.splits import random_split, stratified_split
from mast.data.prepared.write_images import finish, write_images
from mast.data.prepared.writer import Writer
from mast.data.readers import DataPath
from mast.data.settings import HeldOut, ImageFiles
from mast.errors import MastError


class TableData(ImageFiles, HeldOut):
    """Images listed in a file: CSV, TSV, JSON lines (as `metadata.csv` and `.jsonl` of Hugging Face's ImageFolder), or
    plain text with a path in each line. Each target is a column; without targets the images are unlabeled."""

    kind: Literal["table"]
    file: DataPath
    """`.csv`, `.tsv`, `.jsonl` or `.txt`. The first line of a CSV or TSV file names its columns."""
    path: Annotated[str, Field(min_length=1)] = "path"
    """Column of the images' paths: absolute, or relative to `root`."""
    targets: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Columns of the labels; each becomes a target, and its different values are the classes."""
    split: str | None = None
    """Column that says `train`, `val` (or `valid`, `validation`) or `test` of each image. Without one, all images are
    for training but those of `test_fraction`."""
    test_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Without `split`: share of the images that becomes the test split, drawn with `split_seed`, stratified by the
    first target."""
    licence: str = "not stated"
    """Recorded in the manifest."""

    @model_validator(mode="after")
    def _splits_come_from_one_place(self) -> "TableData":
        if self.split is not None and self.test_fraction:
            raise ValueError("test_fraction: the column `split` says which images are for testing; leave one out")
        if len({self.path, *self.targets, *([self.split] if self.split else [])}) < 1 + len(self.targets) + bool(
            self.split
        ):
            raise ValueError("path, targets, split: a column is named twice; give each a column of its own")
        return self

    def prepare(self, name: str, output: Path, threads: int) -> None:
        """Decode, resize and crop every image, and write the prepared form.

        Raises:
            MastError: the file or an image is missing, a column or a label is, an image is in train and test; an image
                cannot be decoded and `unreadable` is `stop`; too few images are left.
        """
        table = self._table
        rows = self._rows()
        with Writer(output) as writer:
            for split, own in rows.items():
                labels = table.labels[own] if self.targets else None
                files = [table.files[row] for row in own]
                kept = write_images(writer, split, files, labels, self, threads)
                if split == "train":
                    held_out = self._held_out(own[kept])
                    if not 0 < len(held_out) < len(kept):
                        raise MastError(f"{self.file}: too few training images ({len(kept)}); two are needed at least")
                    writer.array("val_indices.npy", held_out)
            finish(writer, name, self, f"table {self.file}", self.licence, table.classes, threads)

    @cached_property
    def _table(self) -> ImageTable:
        return read_image_table(Path(self.file), Path(self.root), self.path, self.targets, self.split)

    def _rows(self) -> dict[str, np.ndarray]:
        """The rows of train, those of val included, and of test if there are any."""
        table = self._table
        if table.splits is not None:
            train, test = np.flatnonzero(table.splits != "test"), np.flatnonzero(table.splits == "test")
        elif self.test_fraction:
            first = table.labels[:, 0] if self.targets else np.zeros(len(table.files), np.int64)
            train, test = stratified_split(first, self.test_fraction, self.split_seed)
        else:
            train, test = np.arange(len(table.files)), np.zeros(0, np.int64)
        return {"train": train} | ({"test": test} if len(test) else {})

    def _held_out(self, rows: np.ndarray) -> np.ndarray:
        """Positions of the validation images among the training rows that could be read, int64."""
        table = self._table
        if table.splits is not None and (table.splits[rows] == "val").any():
            return np.flatnonzero(table.splits[rows] == "val")
        if not self.targets:
            return random_split(len(rows), self.validation_fraction, self.split_seed)[1]
        return stratified_split(table.labels[rows, 0], self.validation_fraction, self.split_seed)[1]

    @property
    def train_count(self) -> int:
        """As many as the file lists, if all can be read."""
        return len(self._rows()["train"])

    @cached_property
    def known_labels(self) -> KnownLabels | None:
        """The labels of all rows, of a file with targets and a test split."""
        rows = self._rows()
        if not self.targets or "test" not in rows:
            return None
        classes = {target: len(names) for target, names in self._table.classes.items()}
        train, test = (self._table.labels[rows[split]] for split in ("train", "test"))
        return KnownLabels(classes, train, test, self._held_out(rows["train"]))

    @property
    def labelled(self) -> bool:
        """Whether the file has labels."""
        return bool(self.targets)

    def sources(self) -> Iterator[outside.Place]:
        """The file, and the images that it lists."""
        yield outside.Text(self.file)
        yield outside.Listed(self.root, tuple(os.path.relpath(file, self.root) for file in self._table.files))

    def check(self, evaluated: bool) -> None:
        """The file can be read, its images are there and, to be evaluated on, it has targets and a test split."""
        rows = self._rows()
        if evaluated and not self.targets:
            raise MastError("is a task of a study and needs `targets`: the columns of the labels")
        if evaluated and "test" not in rows:
            raise MastError("is a task of a study and needs test images: name the column `split`, or set test_fraction")
