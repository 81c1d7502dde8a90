"""What lies in a folder of images, or in a list of them: kind of data, number, classes, sizes."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mast.data.cells import FORMATS
from mast.data.folders import list_splits, list_unlabeled
from mast.data.image_table import columns_of, read_image_table
from mast.errors import MastError

SAMPLE = 200
"""Images whose sizes are looked at, evenly spaced."""

PATH_COLUMNS = ("path", "file_name", "filename", "file", "image", "image_path")
"""What the column of paths is called, as a rule; `file_name` is that of Hugging Face's ImageFolder."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Findings:
    """What is known of the images."""

    settings: dict[str, Any]
    """Of a dataset in a configuration: kind, root, …"""
    train: int
    test: int
    classes: int
    """0: unlabeled."""
    short_side: int
    """Median of the images' short sides, pixels."""
    notes: list[str] = field(default_factory=list)
    """What the user should know, a sentence each."""


def look(place: Path) -> Findings:
    """Look at a folder of images, or at a file that lists them.

    Raises:
        MastError: there is nothing there, or no image in it; or the list is not one.
    """
    if place.is_file():
        return _list(place)
    for name in ("metadata.csv", "metadata.jsonl"):
        if (place / name).is_file():
            return _list(place / name)
    try:
        splits = list_splits(place)
        why = None
    except MastError as error:
        splits, why = {"train": list_unlabeled(place)}, str(error)
    train, test = splits["train"], splits.get("test")
    settings: dict[str, Any] = {"kind": "folder", "root": str(place)}
    notes = []
    if why is not None:
        settings["labels"] = "none"
        notes.append(f"The images are taken as unlabeled. As classes they were not understood: {why.split(';')[0]}.")
    elif train.labels is not None and test is None:
        notes.append("There is no folder test, so the encoders cannot be evaluated on these images; see `labels`.")
    left_out = [*train.left_out, *(test.left_out if test else ())]
    if left_out:
        notes.append(f"{len(left_out)} files or folders are left out, the first is {left_out[0].relative_to(place)}.")
    labelled = train.labels is not None
    files = [*train.files, *(test.files if test else [])]
    counts = (len(train.files), len(test.files) if test else 0, len(train.classes) if labelled else 0)
    return Findings(settings, *counts, _short_side(files), notes)


def _list(file: Path) -> Findings:
    """A file that lists images; its columns of labels are left to the user."""
    if file.suffix.lower() not in FORMATS:
        raise MastError(f"{file}: neither a folder of images nor a list of them ({', '.join(FORMATS)})")
    column = "path"
    if file.suffix.lower() != ".txt":
        columns = columns_of(file)
        column = next((name for name in PATH_COLUMNS if name in columns), columns[0])
        others = [name for name in columns if name != column]
    else:
        others = []
    table = read_image_table(file, file.parent, column, (), None)
    settings = {"kind": "table", "file": str(file), "root": str(file.parent), "path": column}
    notes = [f"Other columns: {', '.join(others)}. Name those of labels in `targets`, that of splits in `split`."]
    return Findings(settings, len(table.files), 0, 0, _short_side(table.files), notes if others else [])


def _short_side(files: list[Path]) -> int:
    sides = []
    for row in np.linspace(0, len(files) - 1, min(SAMPLE, len(files))).astype(int):
        try:
            with Image.open(files[row]) as image:
                sides.append(min(image.size))
        except OSError as error:
            reason = " ".join(str(error).split())
            log.warning("%s: cannot be read (%s); mast prepare will stop there", files[row], reason)
    if not sides:
        raise MastError(f"{files[0]}: cannot be read, nor can any other of {len(files)} images that were tried")
    return int(np.median(sides))
