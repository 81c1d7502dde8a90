"""Code shared by kinds of data whose images and labels are inside shards."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from mast.data import outside
from mast.data.cells import JoinedCells
from mast.data.readers import DataPath
from mast.data.readers._rows import RowsData
from mast.data.rows import Rows, labels_of, splits_of
from mast.data.shards.find import by_name, by_pattern, check_whole, find_shards
from mast.data.shards.shard import Shard, ShardImages
from mast.files import path_below
from mast.settings import StrictModel

Pattern = Annotated[str, Field(min_length=1)]


class Shards(StrictModel):
    """Shards of each split: patterns for their paths below `root`, such as `data/train-*`."""

    train: Pattern
    """Shards of the training split."""
    val: Pattern | None = None
    """Shards of the validation split. Without it, validation images are drawn from train."""
    test: Pattern | None = None
    """Shards of the test split. Without it, there is no test split."""


def _arrays(storage: Any) -> Any:
    if storage == "index":
        raise ValueError(
            "images inside shards are no files of their own, which an index needs; leave it out (arrays), or unpack "
            "the shards"
        )
    return storage


class ShardsData(RowsData):
    """A kind of data whose images are inside shards."""

    SUFFIXES: ClassVar[tuple[str, ...]]
    """Suffixes of shards, in lower case."""

    root: DataPath
    """Directory of the shards, at any depth; or one shard."""
    storage: Annotated[Literal["arrays"], BeforeValidator(_arrays)] = "arrays"
    """Storage of the images: they are decoded once, into one array."""
    unreadable: Literal["stop", "skip"] = "stop"
    """What happens to an image that cannot be decoded. `stop`: `prepare` stops and names its shard and row or key.
    `skip`: the image is left out and counted in the manifest.
    """
    targets: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Columns of the labels; each becomes a target, and its distinct values are the classes. Without targets the images
    are unlabeled.
    """
    shards: Shards | None = None
    """The shards of each split, if their names do not tell. By default the split is given by the words train, val
    (valid, validation, dev) and test (eval) in the name of a shard or of its folder. Without such words all images are
    for training.
    """
    split: str | None = None
    """Column with `train`, `val` (or `valid`, `validation`) or `test` for each image, used instead of names."""
    test_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the images that becomes the test split if neither names nor a column give one. It is drawn with
    `split_seed`, stratified by the first target.
    """
    licence: str = "not stated"
    """Licence of the data, recorded in the manifest."""

    @model_validator(mode="after")
    def _splits_come_from_one_place(self) -> "ShardsData":
        self._check_columns()
        if self.shards is not None and self.split is not None:
            raise ValueError("shards: the column `split` says which images are for testing; leave one out")
        return self

    @abstractmethod
    def _open(self, file: Path) -> Shard:
        """Open one shard, with the columns of `_columns`."""

    def found(self) -> list[Path]:
        """Return all shards, sorted.

        Raises:
            MastError: there are none, or a directory cannot be read.
        """
        return find_shards(Path(self.root), self.SUFFIXES)

    def _check_shards(self, shards: dict[str, list[Shard]]) -> None:
        """Raise MastError if opened shards do not fit each other."""

    @property
    def _columns(self) -> Sequence[str]:
        return (*self.targets, *([self.split] if self.split else []))

    @cached_property
    def _files(self) -> dict[str, list[Path]]:
        """Return the shards of each split; all are train if a column gives the splits."""
        root, found = Path(self.root), self.found()
        if self.shards is not None:
            patterns = {split: pattern for split, pattern in self.shards if pattern is not None}
            return by_pattern(root, found, patterns)
        check_whole(root, found)
        return {"train": found} if self.split is not None else by_name(root, found)

    @cached_property
    def _opened(self) -> list[Shard]:
        opened = {split: [self._open(file) for file in files] for split, files in self._files.items()}
        self._check_shards(opened)
        return [shard for shards in opened.values() for shard in shards]

    @cached_property
    def _table(self) -> Rows:
        shards = self._opened
        cells = JoinedCells.of(Path(self.root), [shard.cells for shard in shards])
        classes, labels = labels_of(cells, self.targets, self._orders(cells))
        if self.split is not None:
            splits = splits_of(cells, self.split)
        elif len(self._files) > 1:
            names = [split for split, files in self._files.items() for _ in files]
            splits = np.repeat(names, [len(shard) for shard in shards])
        else:
            splits = None
        table = Rows(Path(self.root), labels, classes, splits)
        table.check_splits()
        return table

    def _orders(self, cells: JoinedCells) -> dict[str, list[str]]:
        """Return target → its classes in the order of the shards, or whole numbers in the order of their values."""
        orders: dict[str, list[str]] = {}
        for target in self.targets:
            stated = [name for shard in self._opened for name in shard.orders.get(target, ())]
            found = stated or list(dict.fromkeys(cells.column(target)))
            if stated:
                orders[target] = list(dict.fromkeys(stated))
            elif all(_is_whole(text) for text in found):
                orders[target] = sorted(found, key=int)
        return orders

    def _images(self, rows: np.ndarray) -> ShardImages:
        return ShardImages(self._opened, rows)

    def some(self, count: int) -> ShardImages:
        """Return the first images of the first shard."""
        return self._images(np.arange(min(count, len(self._opened[0]))))

    def sources(self) -> Iterator[outside.Place]:
        """Return the shards, and images outside them that they name."""
        root = Path(self.root)
        if root.is_file():
            yield outside.Listed(str(root.parent), (root.name,))
        else:
            yield outside.Tree(self.root, suffixes=self.SUFFIXES)
        folder = root.parent if root.is_file() else root
        names = [path_below(folder, file) for shard in self._opened for file in shard.files()]
        if names:
            yield outside.Listed(str(folder), tuple(names))

    @property
    def prepared_bytes(self) -> int | None:
        """Return the size from the number of rows, if the shards exist."""
        return None if self.missing() else len(self._table) * self.size**2 * 3

    @property
    def _without_test(self) -> str:
        return "name their shards in `shards`, their column in `split`, or set test_fraction"


def _is_whole(text: str) -> bool:
    """Return whether a text is a whole number in its usual form."""
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() and str(int(text)) == text
