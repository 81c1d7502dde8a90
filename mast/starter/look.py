"""Find out what a folder of images, a list of images or shards contain: kind of data, number, classes, sizes."""

import logging
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mast.data.blob import Blob
from mast.data.cells import FORMATS
from mast.data.decode import UnreadableImageError, sides_in_head
from mast.data.folders import SPLITS, Listing, list_drawn, list_splits, list_unlabeled
from mast.data.image_table import METADATA, columns_of
from mast.data.readers import Reader
from mast.errors import MastError
from mast.starter.labels import TEST_FRACTION, are_classes, evaluable, inmost, label_columns, split_column
from mast.starter.shards import kind_of_shards, settings_of_shards

SAMPLE = 200
"""Number of images whose sizes are read, evenly spaced."""

PATH_COLUMNS = ("path", "file_name", "filename", "file", "image", "image_path")
"""Usual names of the column of paths; `file_name` is that of Hugging Face's ImageFolder."""

FOLDERS_AS_CLASSES = (
    "The folders are taken as classes. Only the tables use them; no run trains on them. If their names mean "
    "nothing (dates, cameras), write `labels: none` instead of test_fraction, and delete monitor, protocols and "
    "studies."
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Findings:
    """What is known about the images."""

    settings: dict[str, Any]
    """Settings of a dataset in a configuration: kind, root, …"""
    train: int
    test: int
    classes: int
    """Number of classes; 0 if unlabeled."""
    short_side: int
    """Median of the images' short sides, pixels."""
    notes: list[str] = field(default_factory=list)
    """Notes for the user, a sentence each."""


def look(place: Path) -> Findings:
    """Inspect a folder of images, files that contain images (Parquet, Arrow, tar), or a list of images.

    Raises:
        MastError: there is no such folder or file, it has no image, or it is not a list of images.
    """
    kind = kind_of_shards(place)
    if kind is not None:
        notes: list[str] = []
        return _rows(*settings_of_shards(place, kind, notes), notes)
    if place.is_file():
        return _list(place, place.parent)
    for name in METADATA:
        if (place / name).is_file():
            return _list(place / name, place)
    if any((place / split / name).is_file() for split in SPLITS["train"] for name in METADATA):
        return _list(place, place)
    return _folder(place)


def _folder(place: Path) -> Findings:
    settings: dict[str, Any] = {"kind": "folder", "root": str(place)}
    notes = []
    try:
        splits, why = list_splits(place), ""
    except MastError as error:
        splits, why = {}, str(error).split(";")[0]
    labelled = bool(splits) and splits["train"].labels is not None
    if not splits or (labelled and "test" not in splits):
        named = (place / "train").is_dir()
        root = place if named else inmost(place)
        if drawn := _drawn(root) if named or are_classes(root) else {}:
            place, splits = root, drawn
            settings |= {"root": str(root), "test_fraction": TEST_FRACTION}
            notes.append("There is no folder test: a share of each class is drawn." if named else FOLDERS_AS_CLASSES)
    if not splits:
        splits = {"train": list_unlabeled(place)}
        settings["labels"] = "none"
        notes.append(f"The images are taken as unlabeled. The folders could not be used as classes: {why}.")
    train, test = splits["train"], splits.get("test")
    left_out = [*train.left_out, *(test.left_out if test else ())]
    if left_out:
        notes.append(f"{len(left_out)} files or folders are left out, the first is {left_out[0].relative_to(place)}.")
    files = [*train.files, *(test.files if test else [])]
    sample = [files[row] for row in np.linspace(0, len(files) - 1, min(SAMPLE, len(files))).astype(int)]
    counts = (len(train.files), len(test.files) if test else 0, 0 if train.labels is None else len(train.classes))
    return Findings(settings, *counts, _short_side(sample, len(files)), notes)


def _drawn(root: Path) -> dict[str, Listing]:
    """Return settings with a train split and a drawn test split; empty if that is not possible."""
    try:
        return list_drawn(root, TEST_FRACTION, 0)
    except MastError:
        return {}


def _list(file: Path, root: Path) -> Findings:
    """Inspect a list of images, or a directory with lists. Columns that look like labels or splits are used."""
    if file.is_file() and file.suffix.lower() not in FORMATS:
        raise MastError(f"{file}: neither a folder of images nor a list of them ({', '.join(FORMATS)})")
    columns = {} if file.suffix.lower() == ".txt" else columns_of(file)
    path = next((name for name in PATH_COLUMNS if name in columns), next(iter(columns), "path"))
    others = {name: values for name, values in columns.items() if name != path}
    settings: dict[str, Any] = {"kind": "table", "file": str(file), "root": str(root), "path": path}
    if (split := split_column(others)) is not None:
        settings["split"] = split
    targets = [name for name in label_columns(others) if name != split]
    unused = [name for name in others if name not in (*targets, split)]
    notes = [f"Other columns: {', '.join(unused)}. If some are labels, add them to `targets`."] if unused else []
    return _rows(*evaluable(settings, targets, notes), notes)


def _rows(settings: dict[str, Any], spec: Reader, notes: list[str]) -> Findings:
    """Complete settings of data whose images are rows with columns of labels."""
    known, targets = spec.known_labels, settings.get("targets", [])
    if targets:
        drawn = " A share of the images is drawn to test on." if "test_fraction" in settings else ""
        notes.insert(0, f"Used as labels: {', '.join(targets)}. Remove from `targets` what is not a label.{drawn}")
    test, classes = (0, 0) if known is None else (len(known.test), known.classes[targets[0]])
    return Findings(settings, spec.train_count, test, classes, _short_side(spec.some(SAMPLE), spec.train_count), notes)


def _short_side(images: Iterable[Path | Blob], count: int) -> int:
    sides, first = [], None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")  # of images that are too large, which is said below
        for image in images:
            first = first or image
            try:
                sides.append(min(sides_in_head(image)))
            except UnreadableImageError as error:
                log.warning("%s; mast prepare will stop there", error)
    if not sides:
        raise MastError(f"{first}: cannot be read, nor can any other of {count} images that were tried")
    return int(np.median(sides))
