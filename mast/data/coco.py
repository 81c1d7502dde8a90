"""`coco`: a detection data set of the user's own, annotated in COCO's instances format. Images stay in place."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mast.config import CocoData
from mast.config.data import CocoSplit
from mast.data.images import UnreadableImageError, decode, map_files
from mast.data.store import BOX_TARGET, Writer, histogram_statistics
from mast.errors import MastError
from mast.progress import Progress

TOLERANCE = 1.0
"""How far a box may reach over the edge of its image, pixels; it is cut at the edge."""

_REPAIR = "correct it, or set unreadable: skip"


@dataclass(frozen=True)
class _Decoded:
    width: int
    height: int
    sha256: str
    histogram: np.ndarray


@dataclass
class _Split:
    """What one annotation file says, with its lists checked and the image entries keyed by id."""

    file: Path
    root: Path
    names: dict[int, str]
    images: dict[int, dict[str, Any]]
    annotations: list[dict[str, Any]]


def prepare_coco(name: str, spec: CocoData, output: Path, threads: int = 1) -> None:
    """Check every annotation and decode every image, and write cleaned annotations.

    Categories are numbered 1…C in the order of the training file's ids; categories of test are matched by name. Each
    image entry gets the `sha256` of its file, so that the identity of the data covers the images.

    Raises:
        MastError: a file is missing, damaged or inconsistent; one line that names the file and the entry.
    """
    splits = {"train": _read(spec.train), "test": _read(spec.test)}
    classes = [splits["train"].names[key] for key in sorted(splits["train"].names)]
    _check_classes(splits)
    histograms: dict[str, np.ndarray] = {}
    with Writer(output) as writer:
        for key, split in splits.items():
            total = len(split.images)
            histograms[key] = _add_image_facts(split, spec.unreadable, threads)
            cleaned, left_out = _cleaned(split, classes, spec.unreadable)
            writer.annotations(key, cleaned)
            writer.count(key, len(split.images), skipped=total - len(split.images), skipped_annotations=left_out)
        source = f"COCO instances {spec.train.annotations} and {spec.test.annotations}"
        statistics = histogram_statistics(histograms["train"])
        writer.finish(name, spec.model_dump(mode="json"), source, spec.licence, {BOX_TARGET: classes}, *statistics)


def _read(spec: CocoSplit) -> _Split:
    """Read one annotation file and check that its parts refer to each other."""
    file, root = Path(spec.annotations), Path(spec.images)
    if not root.is_dir():
        raise MastError(f"{root}: no such directory; set images to the directory of the images of {file}")
    if not file.is_file():
        raise MastError(f"{file}: no such file; set annotations to a COCO instances JSON")
    try:
        values = json.loads(file.read_bytes(), parse_constant=_refuse)
    except (OSError, ValueError) as error:
        raise MastError(f"{file}: not valid JSON ({error}); a COCO instances JSON is needed") from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(values, dict) or not isinstance(values.get(key), list):
            raise MastError(f"{file}: no list {key!r}; a COCO instances JSON has images, annotations and categories")
        if not values[key]:
            raise MastError(f"{file}: {key!r} is empty")
    categories = _by_id(file, "category", values["categories"], {"name": str})
    names = {key: category["name"] for key, category in categories.items()}
    if len(set(names.values())) < len(names):
        twice = next(name for name in names.values() if list(names.values()).count(name) > 1)
        raise MastError(f"{file}: two categories are called {twice!r}; give each its own name")
    images = _by_id(file, "image", values["images"], {"file_name": str})
    needed = {"image_id": int, "category_id": int, "bbox": list}
    annotations = list(_by_id(file, "annotation", values["annotations"], needed).values())
    for annotation in annotations:
        where = f"{file}: annotation {annotation['id']}"
        if annotation["image_id"] not in images:
            raise MastError(f"{where}: image_id {annotation['image_id']} is not in images")
        if annotation["category_id"] not in names:
            raise MastError(f"{where}: category_id {annotation['category_id']} is not in categories")
    for key, image in images.items():
        if not (root / image["file_name"]).is_file():
            raise MastError(f"{file}: image {key} names {image['file_name']!r}, which is not in {root}")
    return _Split(file, root, names, images, annotations)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


def _by_id(file: Path, kind: str, entries: list[Any], needed: dict[str, type]) -> dict[int, dict[str, Any]]:
    """The entries of a list by their `id`, each with the keys that it needs."""
    keyed: dict[int, dict[str, Any]] = {}
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict) or type(entry.get("id")) is not int:
            raise MastError(f"{file}: {kind} at position {position} has no integer id")
        for key, wanted in needed.items():
            if type(entry.get(key)) is not wanted:
                raise MastError(f"{file}: {kind} {entry['id']}: {key} is missing or not of type {wanted.__name__}")
        if entry["id"] in keyed:
            raise MastError(f"{file}: two entries of kind {kind} have the id {entry['id']}")
        keyed[entry["id"]] = entry
    return keyed


def _check_classes(splits: dict[str, _Split]) -> None:
    """Every class that test annotates must be annotated in train."""
    used = {
        key: {split.names[annotation["category_id"]] for annotation in split.annotations}
        for key, split in splits.items()
    }
    unknown = sorted(used["test"] - used["train"])
    if unknown:
        raise MastError(
            f"{splits['test'].file}: class {unknown[0]!r} is annotated in test but not in {splits['train'].file}"
        )


def _add_image_facts(split: _Split, unreadable: str, threads: int) -> np.ndarray:
    """Decode the images: add size and hash to their entries, drop unreadable ones; return a histogram [3, 256]."""
    histogram = np.zeros((3, 256), np.int64)
    kept: dict[int, dict[str, Any]] = {}
    files = [split.root / image["file_name"] for image in split.images.values()]
    with Progress(str(split.file), len(files)) as progress:
        decoded_files = map_files(_reader(unreadable), files, threads)
        for (key, image), decoded in zip(split.images.items(), decoded_files, strict=True):
            progress.update(1)
            if decoded is None:
                continue
            stated = (image.get("width", decoded.width), image.get("height", decoded.height))
            if stated != (decoded.width, decoded.height):
                raise MastError(
                    f"{split.file}: image {key} ({image['file_name']}) is stated to be {stated[0]} × {stated[1]} "
                    f"pixels, its file is {decoded.width} × {decoded.height}"
                )
            facts = {"width": decoded.width, "height": decoded.height, "sha256": decoded.sha256}
            kept[key] = {"id": key, "file_name": image["file_name"], **facts}
            histogram += decoded.histogram
    if not kept:
        raise MastError(f"{split.file}: none of its images can be read")
    split.images = kept
    return histogram


def _reader(unreadable: str) -> Callable[[Path], _Decoded | None]:
    def read(file: Path) -> _Decoded | None:
        try:
            image = decode(file, upright=False)
        except UnreadableImageError as error:
            if unreadable == "skip":
                return None
            raise MastError(f"{error}; repair or remove it, or set unreadable: skip") from None
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        return _Decoded(image.width, image.height, digest, np.reshape(image.histogram(), (3, 256)))

    return read


def _cleaned(split: _Split, classes: list[str], unreadable: str) -> tuple[dict[str, Any], int]:
    """Annotations of readable images, with new category numbers; and how many were left out for a bad box."""
    cleaned, left_out = [], 0
    for annotation in split.annotations:
        image = split.images.get(annotation["image_id"])
        if image is None:
            continue
        box, fault = _box(annotation["bbox"], image["width"], image["height"])
        if fault and unreadable == "stop":
            where = f"{split.file}: annotation {annotation['id']} (image {image['file_name']})"
            raise MastError(f"{where}: bbox {annotation['bbox']} {fault}; {_REPAIR}")
        if fault:
            left_out += 1
            continue
        entry = {
            "id": annotation["id"],
            "image_id": annotation["image_id"],
            "category_id": classes.index(split.names[annotation["category_id"]]) + 1,
            "bbox": box,
            "area": annotation.get("area", box[2] * box[3]),
            "iscrowd": annotation.get("iscrowd", 0),
        }
        if annotation.get("segmentation"):
            entry["segmentation"] = annotation["segmentation"]
        cleaned.append(entry)
    if not cleaned:
        raise MastError(f"{split.file}: no annotation can be used")
    coco = {
        "images_root": str(split.root.resolve()),
        "images": list(split.images.values()),
        "annotations": cleaned,
        "categories": [{"id": number, "name": name} for number, name in enumerate(classes, 1)],
    }
    return coco, left_out


def _box(values: list[Any], width: int, height: int) -> tuple[list[float], str]:
    """A box [x, y, w, h] cut at the image's edges, and what is wrong with it ("" if nothing is)."""
    if len(values) != 4 or not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        return [], "is not four numbers [x, y, width, height]"
    x, y, w, h = values
    if w <= 0 or h <= 0:
        return [], "has no area"
    if min(x, y) < -TOLERANCE or x + w > width + TOLERANCE or y + h > height + TOLERANCE:
        return [], f"reaches outside the image of {width} × {height} pixels"
    left, top = max(x, 0), max(y, 0)
    box = [left, top, min(x + w, width) - left, min(y + h, height) - top]
    return box, "" if min(box[2:]) > 0 else "has no area inside the image"
