"""Image files of annotated data, decoded once to get sizes, hashes, colours and orientations."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as brief
from typing import TYPE_CHECKING, Any

import numpy as np

from mast.data.annotations import side
from mast.data.decode import examine, map_files
from mast.data.prepared.write_images import or_none
from mast.data.settings import InPlace
from mast.errors import MastError
from mast.orientation import SIDEWAYS
from mast.progress import Progress

if TYPE_CHECKING:
    from mast.data.prepared.instances import Split


@dataclass(frozen=True)
class _Facts:
    width: int
    height: int
    sha256: str
    histogram: np.ndarray
    orientation: int
    notes: frozenset[str]


def add_image_facts(split: "Split", settings: InPlace, threads: int) -> np.ndarray:
    """Decode the images: add size and hash to their entries, drop unreadable ones; return a histogram [3, 256].

    Raises:
        MastError: an image cannot be read and `settings.unreadable` is `stop`; its size differs from the stated one; no
            image is left.
    """
    histogram = np.zeros((3, 256), np.int64)
    kept: dict[Any, dict[str, Any]] = {}
    files = [split.root / image["file_name"] for image in split.images.values()]
    split.counts["repeated_images"] = len(files) - len(set(files))
    with Progress(str(split.file), len(files)) as progress:
        found = map_files(or_none(_reader(settings), settings.unreadable), files, threads)
        for (key, image), file, facts in zip(split.images.items(), files, found, strict=True):
            progress.update(1)
            for note in _notes(facts):
                split.files.setdefault(note, []).append(file)
            if facts is None:
                continue
            _check_size(split.image_place(image), image, facts, settings.exif)
            kept[key] = {"id": key, "file_name": image["file_name"], "width": facts.width, "height": facts.height}
            kept[key]["sha256"] = facts.sha256
            if facts.orientation != 1:
                split.turned[key] = facts.orientation
                kept[key] |= {"upright": True} if settings.exif == "upright" else {}
            histogram += facts.histogram
    if not kept:
        raise MastError(f"{split.file}: none of its images can be read")
    split.images = kept
    return histogram


def _reader(settings: InPlace) -> Callable[[Path], _Facts]:
    def read(file: Path) -> _Facts:
        decoded = examine(file, settings.exif == "upright", settings.range)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        width, height = decoded.image.size
        histogram = np.reshape(decoded.image.histogram(), (3, 256))
        return _Facts(width, height, digest, histogram, decoded.orientation, decoded.notes)

    return read


def _notes(facts: _Facts | None) -> set[str]:
    if facts is None:
        return {"skipped"}
    return facts.notes | ({"turned"} if facts.orientation != 1 else set())


def _check_size(place: str, image: dict[str, Any], facts: _Facts, exif: str) -> None:
    """Compare the stated size with the pixels. A size that fits the other orientation gets a hint."""
    actual, stated = [facts.width, facts.height], []
    for name, own in zip(("width", "height"), actual, strict=True):
        try:
            given = side(image.get(name))
        except ValueError:
            raise MastError(
                f"{place}: {name} is {brief(image[name])}, not a number of pixels; its file has {own}"
            ) from None
        stated.append(own if given is None else given)
    if stated == actual:
        return
    hint = ""
    if facts.orientation != 1:
        other = {"stored": "upright", "upright": "stored"}[exif]
        turned = facts.orientation in SIDEWAYS and stated == actual[::-1]
        hint = f", turned by EXIF (orientation {facts.orientation})" + (f"; set exif: {other}" if turned else "")
    width, height = map(brief, stated)
    raise MastError(f"{place} is stated to be {width} × {height} pixels, its file is {actual[0]} × {actual[1]}{hint}")
