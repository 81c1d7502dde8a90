"""Images of one split → the prepared form: one array, or an index of files that stay in place."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from mast.data.decode import UnreadableImageError, decode, map_files, measure, square
from mast.data.prepared.index import IndexedImages
from mast.data.prepared.subset import Subset
from mast.data.prepared.writer import Writer, channel_statistics
from mast.data.settings import ImageFiles
from mast.errors import MastError
from mast.progress import Progress
from mast.records import Index

STATISTICS_IMAGES = 10_000
"""Of an index, mean and standard deviation are those of this many images, evenly spaced (all, if there are fewer)."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def write_images(
    writer: Writer,
    split: str,
    images: Sequence[Path] | np.ndarray,
    labels: np.ndarray | None,
    spec: ImageFiles,
    threads: int,
) -> np.ndarray:
    """Write the images of a split, and the labels of those that can be read.

    Args:
        writer: where to.
        split: name of the split.
        images: image files below `spec.root`, or uint8 [N, H, W, 3].
        labels: int [N], or [N, T] for T targets, or None.
        spec: size, storage, and what an unreadable file does.
        threads: for decoding.

    Returns:
        Positions of the images that were written, int64 [M], ascending.

    Raises:
        MastError: a file cannot be read and `spec.unreadable` is `stop`.
    """
    write = _write_index if spec.storage == "index" else _write_array
    kept = np.array(write(writer, split, images, spec, threads), np.int64)
    writer.count(split, len(kept), skipped=len(images) - len(kept))
    if labels is not None:
        writer.array(f"{split}_labels.npy", np.asarray(labels, np.int64)[kept].reshape(len(kept), -1))
    return kept


def finish(
    writer: Writer,
    name: str,
    spec: ImageFiles,
    source: str,
    licence: str,
    targets: dict[str, list[str]],
    threads: int,
) -> None:
    """Write the manifest, with mean and standard deviation of the training images that were written."""
    index = None if spec.storage == "arrays" else Index(root=str(Path(spec.root).absolute()), size=spec.size)
    if index is None:
        images = writer.load("train_images.npy")
    else:
        indexed = IndexedImages(Path(spec.root), writer.load("train_paths.npy"), spec.size, threads)
        images = Subset(indexed, np.unique(np.linspace(0, len(indexed) - 1, STATISTICS_IMAGES).astype(np.int64)))
    statistics = channel_statistics(images)
    writer.finish(name, spec.model_dump(mode="json"), source, licence, targets, *statistics, index)


def _write_array(
    writer: Writer, split: str, images: Sequence[Path] | np.ndarray, spec: ImageFiles, threads: int
) -> list[int]:
    kept: list[int] = []
    read = _or_none(partial(_square, size=spec.size), spec.unreadable)

    def rows() -> Iterator[np.ndarray]:
        for position, row in _readable(read, images, f"{spec.root} {split}", threads):
            kept.append(position)
            yield row

    writer.stream(f"{split}_images.npy", rows(), (spec.size, spec.size, 3))
    return kept


def _write_index(writer: Writer, split: str, files: Sequence[Path], spec: ImageFiles, threads: int) -> list[int]:
    found = list(_readable(_or_none(measure, spec.unreadable), files, f"{spec.root} {split}", threads))
    kept = [position for position, _ in found]
    writer.array(f"{split}_sizes.npy", np.array([sizes for _, sizes in found], np.int64).reshape(-1, 3))
    paths = [os.fsencode(os.path.relpath(files[position], spec.root)) for position in kept]
    writer.array(f"{split}_paths.npy", np.array(paths, np.bytes_))
    return kept


def _readable(
    read: Callable[[Item], Result | None], items: Sequence[Item], title: str, threads: int
) -> Iterator[tuple[int, Result]]:
    """Position and result of every item that `read` could read."""
    with Progress(title, len(items)) as progress:
        for position, result in enumerate(map_files(read, items, threads)):
            progress.update(1)
            if result is not None:
                yield position, result


def _or_none(read: Callable[[Item], Result], unreadable: str) -> Callable[[Item], Result | None]:
    def attempt(item: Item) -> Result | None:
        try:
            return read(item)
        except UnreadableImageError as error:
            if unreadable == "skip":
                return None
            raise MastError(f"{error}; repair or remove it, or set unreadable: skip") from None

    return attempt


def _square(image: Path | np.ndarray, size: int) -> np.ndarray:
    return square(decode(image) if isinstance(image, Path) else Image.fromarray(image), size)
