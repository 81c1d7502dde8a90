"""Code shared by kinds of data whose images are rows with columns of labels and splits."""

from abc import abstractmethod
from collections.abc import Collection
from functools import cached_property
from pathlib import Path

import numpy as np

from mast.data.blob import Blob
from mast.data.known_labels import KnownLabels
from mast.data.prepared.splits import random_split, stratified_split
from mast.data.prepared.write_images import finish, write_images
from mast.data.prepared.writer import Writer
from mast.data.rows import Rows
from mast.data.settings import HeldOut, ImageFiles
from mast.errors import MastError


class RowsData(ImageFiles, HeldOut):
    """A kind of data with the settings `targets`, `split`, `test_fraction` and `licence`.

    They are fields of each kind and not of this class, because jobs are identified by the order of the fields too.
    """

    @cached_property
    @abstractmethod
    def _table(self) -> Rows:
        """Return all rows, checked."""

    @abstractmethod
    def _images(self, rows: np.ndarray) -> Collection[Path | Blob]:
        """Return the images of rows int64 [M], ascending."""

    def prepare(self, name: str, output: Path, threads: int) -> None:
        """Decode, resize and crop every image, and write the prepared form.

        Raises:
            MastError: a file, an image, a column or a label is missing; an image is in train and test; an image cannot
                be decoded and `unreadable` is `stop`; too few images are left.
        """
        table = self._table
        rows = self._rows()
        with Writer(output) as writer:
            for split, own in rows.items():
                labels = table.labels[own] if self.targets else None
                kept = write_images(writer, split, self._images(own), labels, self, threads)
                table.check_readable(own, own[kept], split)
                if split == "train":
                    held_out = self._held_out(own[kept])
                    if not 0 < len(held_out) < len(kept):
                        few = f"{table.file}: too few training images ({len(kept)})"
                        raise MastError(f"{few}; two are needed at least")
                    writer.array("val_indices.npy", held_out)
            finish(writer, name, self, f"{self.kind} {table.file}", self.licence, table.classes, threads)

    def _rows(self) -> dict[str, np.ndarray]:
        """Return the rows of train, including val, and those of test if there are any."""
        table = self._table
        if table.splits is not None and self.test_fraction:
            raise MastError("test_fraction: names of files say which images are for training; leave it out")
        if table.splits is not None:
            train, test = np.flatnonzero(table.splits != "test"), np.flatnonzero(table.splits == "test")
        elif self.test_fraction:
            first = table.labels[:, 0] if self.targets else np.zeros(len(table), np.int64)
            train, test = stratified_split(first, self.test_fraction, self.split_seed)
            table.check_classes(train, test, f"test (drawn with test_fraction and split_seed {self.split_seed})")
        else:
            train, test = np.arange(len(table)), np.zeros(0, np.int64)
        return {"train": train} | ({"test": test} if len(test) else {})

    def _held_out(self, rows: np.ndarray) -> np.ndarray:
        """Return the positions of the validation images among the readable training rows, int64."""
        table = self._table
        if table.splits is not None and (table.splits == "val").any():
            return np.flatnonzero(table.splits[rows] == "val")
        if not self.targets:
            return random_split(len(rows), self.validation_fraction, self.split_seed)[1]
        return stratified_split(table.labels[rows, 0], self.validation_fraction, self.split_seed)[1]

    def some(self, count: int) -> Collection[Path | Blob]:
        """Return at most `count` images, evenly spaced, at a cost that does not grow with the data."""
        return self._images(np.unique(np.linspace(0, len(self._table) - 1, count).astype(np.int64)))

    @property
    def train_count(self) -> int:
        """Number of training images listed, if all can be read."""
        return len(self._rows()["train"])

    @cached_property
    def known_labels(self) -> KnownLabels | None:
        """Labels of all rows, for data with targets and a test split."""
        rows = self._rows()
        if not self.targets or "test" not in rows:
            return None
        classes = {target: len(names) for target, names in self._table.classes.items()}
        train, test = (self._table.labels[rows[split]] for split in ("train", "test"))
        return KnownLabels(classes, train, test, self._held_out(rows["train"]))

    @property
    def labelled(self) -> bool:
        """Whether there are labels."""
        return bool(self.targets)

    def check(self, evaluated: bool) -> None:
        """Check that the rows can be read, that their images exist and, if evaluated, that they have targets and a test
        split.
        """
        rows = self._rows()
        if evaluated and not self.targets:
            raise MastError("is a task of a study and needs `targets`: the columns of the labels")
        if evaluated and "test" not in rows:
            raise MastError(f"is a task of a study and needs test images: {self._without_test}")

    @property
    def _without_test(self) -> str:
        return "name the column `split`, or set test_fraction"

    def _check_columns(self, **others: str) -> None:
        """Raise ValueError if a column is named twice, or splits come from two places."""
        if self.split is not None and self.test_fraction:
            raise ValueError("test_fraction: the column `split` says which images are for testing; leave one out")
        named = [*others.values(), *self.targets, *([self.split] if self.split else [])]
        if len(set(named)) < len(named):
            keys = ", ".join((*others, "targets", "split"))
            raise ValueError(f"{keys}: a column is named twice; give each a column of its own")
