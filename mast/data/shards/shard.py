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
    """Columns of labels and splits that were requested."""
    orders: dict[str, list[str]]
    """Column → its classes in the order of their numbers, if the file gives it."""

    def __len__(self) -> int:
        """Number of images."""
        return len(self.cells)

    @abstractmethod
    def read(self, rows: np.ndarray) -> Iterator[Path | Blob]:
        """Yield the images at rows int64 [M], ascending.

        Raises:
            MastError: the file is cut off or damaged.
        """

    def files(self) -> list[Path]:
        """Return the image files outside the shard that it names instead of images."""
        return []


class ShardImages(Collection[Path | Blob]):
    """Images at some rows of several shards, read one after another on each iteration."""

    def __init__(self, shards: Sequence[Shard], rows: np.ndarray) -> None:
        """Keep the shards and `rows`, int64 [M], ascending, which count on from each shard to the next."""
        self._shards, self._rows = shards, rows

    def __len__(self) -> int:
        """Number of images."""
        return len(self._rows)

    def __contains__(self, image: object) -> bool:
        """Return False: images are made anew for each iteration, so none is the same object."""
        return False

    def __iter__(self) -> Iterator[Path | Blob]:
        """Yield the images."""
        start = 0
        for shard in self._shards:
            inside = self._rows[(self._rows >= start) & (self._rows < start + len(shard))] - start
            if len(inside):
                yield from shard.read(inside)
            start += len(shard)
