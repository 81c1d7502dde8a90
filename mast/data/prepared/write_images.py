"""Write the images of one split in prepared form: one array, or an index of files that stay in place."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from mast.data.blob import Blob
from mast.data.decode import UnreadableImageError, examine, map_files, measure
from mast.data.prepared.index import IndexedImages
from mast.data.prepared.subset import Subset
from mast.data.prepared.writer import Writer, channel_statistics
from mast.data.settings import ImageFiles
from mast.data.transforms import squared
from mast.errors import MastError
from mast.files import path_below
from mast.progress import Progress
from mast.records import Index
from mast.settings import FULL, PixelRange, Transform

STATISTICS_IMAGES = 10_000
"""Number of evenly spaced images that give the mean and standard deviation of an index (all, if there are fewer)."""

SKIP = "unreadable: skip"

Notes = dict[str, list[Path]]
"""Note (`mast.data.prepared.notes`) → the files that it is about."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def write_images(
    writer: Writer,
    split: str,
    images: Collection[Path | Blob] | np.ndarray,
    labels: np.ndarray | None,
    spec: ImageFiles,
    threads: int,
) -> np.ndarray:
    """Write the images of a split, and the labels of those that can be read.

    Args:
        writer: the dataset's writer.
        split: name of the split.
        images: image files below `spec.root`, or inside files there, which are read during iteration; or uint8 [N, H,
            W, 3].
        labels: int [N], or [N, T] for T targets, or None.
        spec: size, storage, and what happens to an unreadable file.
        threads: number of threads for decoding.

    Returns:
        Positions of the images that were written, int64 [M], ascending.

    Raises:
        MastError: a file cannot be read and `spec.unreadable` is `stop`.
    """
    write = _write_index if spec.storage == "index" else _write_array
    notes: Notes = {}
    kept = np.array(write(writer, split, images, spec, threads, notes), np.int64)
    writer.count(split, len(kept), skipped=len(images) - len(kept))
    for key, files in notes.items():
        writer.note(split, key, files, spec.root)
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
    index = (
        None
        if spec.storage == "arrays"
        else Index(
            root=str(Path(spec.root).absolute()),
            size=spec.size,
            range=spec.range,
            transform=spec.transform,
            exif=spec.exif,
        )
    )
    _write_reading(writer, spec)
    stated = spec.normalisation
    if stated is not None:
        statistics = [*stated.mean], [*stated.std]
    elif index is None:
        statistics = channel_statistics(writer.load("train_images.npy"))
    else:
        reading = {"levels": spec.range, "transform": spec.transform, "upright": spec.exif == "upright"}
        indexed = IndexedImages(Path(spec.root), writer.load("train_paths.npy"), spec.size, threads, **reading)
        shown = np.unique(np.linspace(0, len(indexed) - 1, STATISTICS_IMAGES).astype(np.int64))
        statistics = channel_statistics(Subset(indexed, shown))
    writer.finish(name, spec.model_dump(mode="json"), source, licence, targets, *statistics, index)


def _write_reading(writer: Writer, spec: ImageFiles) -> None:
    """Write settings that affect results but show in no other file, because data are identified by their files."""
    if spec.normalisation is not None:
        writer.array("normalisation.npy", np.array([spec.normalisation.mean, spec.normalisation.std]))
    if spec.storage == "arrays":
        return
    if spec.size != ImageFiles.model_fields["size"].default:
        writer.array("size.npy", np.array(spec.size))
    if spec.range != FULL:
        writer.array("range.npy", np.array(spec.range))
    if spec.transform is not None:
        writer.array("transform.npy", np.array(spec.transform.model_dump_json()))
    if spec.exif != "upright":
        writer.array("exif.npy", np.array(spec.exif))


def _write_array(
    writer: Writer,
    split: str,
    images: Collection[Path | Blob] | np.ndarray,
    spec: ImageFiles,
    threads: int,
    notes: Notes,
) -> list[int]:
    kept: list[int] = []
    upright = spec.exif == "upright"
    read = partial(square_of, size=spec.size, levels=spec.range, transform=spec.transform, upright=upright)

    def rows() -> Iterator[np.ndarray]:
        with Progress(f"{spec.root} {split}", len(images)) as progress:
            for position, row in readable(read, images, spec.unreadable, threads, notes, progress):
                kept.append(position)
                yield row

    writer.stream(f"{split}_images.npy", rows(), (spec.size, spec.size, 3))
    return kept


def _write_index(
    writer: Writer, split: str, files: Sequence[Path], spec: ImageFiles, threads: int, notes: Notes
) -> list[int]:
    read = partial(measure, levels=spec.range, upright=spec.exif == "upright")
    with Progress(f"{spec.root} {split}", len(files)) as progress:
        found = list(readable(read, files, spec.unreadable, threads, notes, progress))
    kept = [position for position, _ in found]
    writer.array(f"{split}_sizes.npy", np.array([sizes for _, sizes in found], np.int64).reshape(-1, 3))
    paths = [os.fsencode(path_below(spec.root, files[position])) for position in kept]
    writer.array(f"{split}_paths.npy", np.array(paths, np.bytes_))
    return kept


def readable(
    read: Callable[[Item], tuple[Result, frozenset[str]]],
    items: Collection[Item],
    unreadable: str,
    threads: int,
    notes: Notes,
    progress: Progress,
    skip: str = SKIP,
) -> Iterator[tuple[int, Result]]:
    """Yield position and result of every item that `read` could read; notes and skipped items go into `notes`."""
    attempt = or_none(read, unreadable, skip)
    results = map_files(lambda item: (item, attempt(item)), items, threads)
    for position, (item, found) in enumerate(results):
        progress.update(1)
        for note in {"skipped"} if found is None else found[1]:
            notes.setdefault(note, []).append(item.path if isinstance(item, Blob) else item)
        if found is not None:
            yield position, found[0]


def or_none(read: Callable[[Item], Result], unreadable: str, skip: str = SKIP) -> Callable[[Item], Result | None]:
    """Return a function that reads an item, or returns None if it cannot and `unreadable` is `skip`.

    `skip` is the setting that messages suggest for skipping it.
    """

    def attempt(item: Item) -> Result | None:
        try:
            return read(item)
        except UnreadableImageError as error:
            if unreadable == "skip":
                return None
            raise MastError(f"{error}; repair or remove it, or set {skip}") from None

    return attempt


def square_of(
    image: Path | Blob | np.ndarray,
    size: int,
    levels: PixelRange,
    transform: Transform | None = None,
    upright: bool = True,
) -> tuple[np.ndarray, frozenset[str]]:
    """Return a square of a file or array, uint8 [size, size, 3], and notes as in `mast.data.decode.Decoded`."""
    if isinstance(image, np.ndarray):
        return squared(Image.fromarray(image), size, transform), frozenset()
    decoded = examine(image, upright, levels)
    return squared(decoded.image, size, transform), decoded.notes
