"""Annotated objects of a detection data set: what its readers (COCO, VOC) share. Images stay in place."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mast.data.decode import UnreadableImageError, decode, map_files
from mast.data.prepared.writer import BOX_TARGET, Writer, histogram_statistics
from mast.data.segmentation import mask_fault
from mast.data.settings import InPlace
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
class Split:
    """What the annotations of one split say, in COCO's terms, with the image entries keyed by id."""

    file: Path
    """The annotation file, or the directory of them, that messages about the whole split name."""
    root: Path
    """The images' `file_name` is relative to it."""
    names: dict[int, str]
    """Category id → class."""
    images: dict[int, dict[str, Any]]
    annotations: list[dict[str, Any]]

    def image_place(self, image: dict[str, Any]) -> str:
        """Where an image is described, for messages."""
        return f"{self.file}: image {image['id']} ({image['file_name']})"

    def annotation_place(self, annotation: dict[str, Any]) -> str:
        """Where an object is described, for messages."""
        image = self.images[annotation["image_id"]]
        return f"{self.file}: annotation {annotation['id']} (image {image['file_name']})"


def write_instances(
    name: str,
    settings: InPlace,
    splits: dict[str, Split],
    classes: list[str],
    output: Path,
    source: str,
    threads: int,
) -> None:
    """Decode every image, check every object, and write cleaned annotations as a prepared data set.

    Each image entry gets the `sha256` of its file, so that the identity of the data covers the images. Categories are
    numbered 1…C in the order of `classes`. `settings` say what to do with what is `unreadable`.

    Raises:
        MastError: an image cannot be read, an object has no area in its image, or a class is annotated in test alone.
    """
    _check_classes(splits)
    histograms: dict[str, np.ndarray] = {}
    with Writer(output) as writer:
        for key, split in splits.items():
            total = len(split.images)
            histograms[key] = _add_image_facts(split, settings.unreadable, threads)
            cleaned, left_out = _cleaned(split, classes, settings.unreadable)
            writer.annotations(key, cleaned)
            writer.count(key, len(split.images), skipped=total - len(split.images), skipped_annotations=left_out)
        targets, statistics = {BOX_TARGET: classes}, histogram_statistics(histograms["train"])
        writer.finish(name, settings.model_dump(mode="json"), source, settings.licence, targets, *statistics)


def _check_classes(splits: dict[str, Split]) -> None:
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


def _add_image_facts(split: Split, unreadable: str, threads: int) -> np.ndarray:
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
                    f"{split.image_place(image)} is stated to be {stated[0]} × {stated[1]} pixels, its file is "
                    f"{decoded.width} × {decoded.height}"
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


def _cleaned(split: Split, classes: list[str], unreadable: str) -> tuple[dict[str, Any], int]:
    """Annotations of readable images, with new category numbers; and how many were left out as unusable."""
    cleaned, left_out = [], 0
    for annotation in split.annotations:
        image = split.images.get(annotation["image_id"])
        if image is None:
            continue
        box, fault = _box(annotation["bbox"], image["width"], image["height"])
        fault = f"bbox {annotation['bbox']} {fault}" if fault else _segmentation_fault(annotation, image)
        if fault and unreadable == "stop":
            raise MastError(f"{split.annotation_place(annotation)}: {fault}; {_REPAIR}")
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
        if annotation.get("difficult"):
            entry["difficult"] = 1
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


def _segmentation_fault(annotation: dict[str, Any], image: dict[str, Any]) -> str:
    """What is wrong with an object's segmentation ("" if nothing is, or there is none)."""
    if not annotation.get("segmentation"):
        return ""
    fault = mask_fault(annotation["segmentation"], image["width"], image["height"])
    return fault and f"segmentation {fault}"


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
