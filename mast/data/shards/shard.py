"""A file that holds many images, and the images of several such files."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from mast.data.blob import Blob
from mast.data.cells import Cells


class Shard(ABC):
    """One file of images with labels. Labels are read when it is opened, images when they are iterated over."""

    cells: Cells
    """The columns of labels and splits that were asked for."""
    orders: dict[str, list[str]]
    """Column → its classes in the order of their numbers, where the file says so."""

    def __len__(self) -> int:
        """Number of images."""
        return len(self.cells)

    @abstractmethod
    def read(self, rows: np.ndarray) -> Iterator[Path | Blob]:
        """The images at rows int64 [M], ascending.

        Raises:
            MastError: the file is cut off or damaged.
        """

    def files(self) -> list[Path]:
        """Image files outside that it names in the place of images."""
        return []


class ShardImages(Collection[Path | Blob]):
    """Images at some rows of several shards, which are read one after another, each time that it is iterated over."""

    def __init__(self, shards: Sequence[Shard], rows: np.ndarray) -> None:
        """`rows` int64 [M], ascending, count on from each shard to the next."""
        self._shards, self._rows = shards, rows

    def __len__(self) -> int:
        """Number of images."""
        return len(self._rows)

    def __contains__(self, image: object) -> bool:
        """Whether an image is the same object as one of them: each is made anew."""
        return False

    def __iter__(self) -> Iterator[Path | Blob]:
        """Read them."""
        start = 0
        for shard in self._shards:
            inside = self._rows[(self._rows >= start) & (self._rows < start + len(shard))] - start
            if len(inside):
                yield from shard.read(inside)
            start += len(shard)
