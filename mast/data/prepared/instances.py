"""Annotated objects of a detection dataset, shared by its readers (COCO, VOC). Images stay in place."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from reprlib import repr as brief
from typing import Any

import numpy as np

from mast.data.annotations import Id, fits, is_crowd, is_number, numbers
from mast.data.names import composed, difference, twin, written_out
from mast.data.prepared.photographs import add_image_facts
from mast.data.prepared.writer import BOX_TARGET, Writer, histogram_statistics
from mast.data.segmentation import is_empty, mask_fault
from mast.data.settings import InPlace
from mast.errors import MastError
from mast.settings import FULL

TOLERANCE = 1.0
"""Distance by which a box may extend over the edge of its image, pixels; it is cut at the edge."""

THINNEST = 0.01
"""Smallest width and height of a box, pixels. Thinner ones vanish in float32, and torchvision's detectors then stop."""

MOST_OBJECTS = 100
"""Number of detections of an image that are scored (COCO's `maxDets`) and made (torchvision, `box_detections_per_img`).
"""

_REPAIR = "correct it, or set unreadable: skip"


@dataclass
class Split:
    """Annotations of one split, in COCO's terms, with the image entries keyed by id."""

    file: Path
    """The annotation file, or the directory of them, that messages about the whole split name."""
    root: Path
    """Directory that the images' `file_name` is relative to."""
    names: dict[Id, str]
    """Category id → class."""
    images: dict[Id, dict[str, Any]]
    annotations: list[dict[str, Any]]
    counts: Counter[str] = field(default_factory=Counter)
    """Number of corrections, by the keys of `mast.data.prepared.notes.NOTES`."""
    files: dict[str, list[Path]] = field(default_factory=dict)
    """Image files to name, by the same keys."""
    turned: dict[Id, int] = field(default_factory=dict)
    """Image id → EXIF orientation, for images that are not stored upright."""

    def image_place(self, image: dict[str, Any]) -> str:
        """Return where an image is described, for messages."""
        return f"{self.file}: image {brief(image['id'])} ({image['file_name']})"

    def annotation_place(self, annotation: dict[str, Any]) -> str:
        """Return where an object is described, for messages."""
        image = self.images[annotation["image_id"]]
        return f"{self.file}: annotation {brief(annotation['id'])} (image {image['file_name']})"

    def check_boxes(self) -> None:
        """Check all boxes together, once the sizes of the images are known; raises MastError."""


def write_instances(
    name: str,
    settings: InPlace,
    splits: dict[str, Split],
    classes: list[str],
    output: Path,
    source: str,
    threads: int,
) -> None:
    """Decode every image, check every object, and write cleaned annotations as a prepared dataset.

    Each image entry gets the `sha256` of its file, so that the identity of the data covers the images. Categories are
    numbered 1…C in the order of `classes`. `settings.unreadable` decides what happens to faulty entries.

    Raises:
        MastError: an image cannot be read, an object has no area in its image, or a class is annotated only in test.
    """
    _check_classes(splits, classes)
    histograms: dict[str, np.ndarray] = {}
    with Writer(output) as writer:
        for key, split in splits.items():
            total = len(split.images)
            histograms[key] = add_image_facts(split, settings, threads)
            split.check_boxes()
            cleaned, left_out = _cleaned(split, classes, settings)
            writer.annotations(key, cleaned)
            counts = {"skipped": total - len(split.images), "skipped_annotations": left_out, **split.counts}
            writer.count(key, len(split.images), **counts)
            for note, files in split.files.items():
                writer.note(key, note, files, split.root)
        targets, statistics = {BOX_TARGET: classes}, histogram_statistics(histograms["train"])
        writer.finish(name, settings.model_dump(mode="json"), source, settings.licence, targets, *statistics)


def _check_classes(splits: dict[str, Split], classes: list[str]) -> None:
    """Check that train annotates every class that test annotates; names are those of `classes` from now on."""
    own = {composed(name): name for name in classes}
    for split in splits.values():
        split.names = {key: own.get(composed(name), name) for key, name in split.names.items()}
    used = {
        key: {split.names[annotation["category_id"]] for annotation in split.annotations}
        for key, split in splits.items()
    }
    for name in sorted(used["test"] - used["train"]):
        near = twin(name, used["train"])
        hint = "" if near is None else f"; rename one: {difference(name, near)}"
        shown = repr(name) if near is None else written_out(name)
        raise MastError(
            f"{splits['test'].file}: class {shown} is annotated in test but not in {splits['train'].file}{hint}"
        )


def _cleaned(split: Split, classes: list[str], settings: InPlace) -> tuple[dict[str, Any], int]:
    """Return the annotations of readable images with new category numbers, and how many were left out as unusable."""
    cleaned, left_out = [], 0
    for annotation in split.annotations:
        image = split.images.get(annotation["image_id"])
        if image is None:
            continue
        box, fault = _box(annotation["bbox"], image["width"], image["height"])
        fault = f"bbox {brief(annotation['bbox'])} {fault}" if fault else _object_fault(annotation, image)
        if fault and settings.unreadable == "stop":
            turn = split.turned.get(annotation["image_id"])
            hint = "" if turn is None else f"; the image is turned by EXIF (orientation {turn}), see the key exif"
            raise MastError(f"{split.annotation_place(annotation)}: {fault}{hint}; {_REPAIR}")
        if fault:
            left_out += 1
            continue
        category = classes.index(split.names[annotation["category_id"]]) + 1
        cleaned.append(_entry(annotation, image, category, box, split.counts))
    if not cleaned:
        raise MastError(f"{split.file}: no annotation can be used")
    objects = Counter(entry["image_id"] for entry in cleaned if not entry["iscrowd"])
    crowded = [split.root / split.images[key]["file_name"] for key, count in objects.items() if count > MOST_OBJECTS]
    split.files |= {"crowded_images": crowded}
    coco = {
        "images_root": str(split.root.resolve()),
        **({} if settings.range == FULL else {"range": settings.range}),
        "images": _renumbered(split, cleaned),
        "annotations": cleaned,
        "categories": [{"id": number, "name": name} for number, name in enumerate(classes, 1)],
    }
    split.counts = +split.counts
    return coco, left_out


def _entry(
    annotation: dict[str, Any], image: dict[str, Any], category: int, box: list[float], counts: Counter[str]
) -> dict[str, Any]:
    """Return a valid annotation with values as the scorer and the detector expect them; count what is replaced."""
    entry = {
        "id": annotation["id"],
        "image_id": annotation["image_id"],
        "category_id": category,
        "bbox": box,
        "area": _area(annotation, box, counts),
        "iscrowd": is_crowd(annotation.get("iscrowd")),
    }
    if annotation.get("difficult"):
        entry["difficult"] = 1
    counts["replaced_iscrowd"] += type(annotation.get("iscrowd", 0)) is not int
    if annotation.get("segmentation"):
        entry["segmentation"] = annotation["segmentation"]
        counts["empty_masks"] += is_empty(annotation["segmentation"], image["width"], image["height"])
    else:
        counts["empty_segmentations"] += "segmentation" in annotation
    return entry


def _area(annotation: dict[str, Any], box: list[float], counts: Counter[str]) -> float:
    """Return the stated area, or the area of the box if none is stated or the stated one is impossible."""
    if "area" in annotation and fits(annotation["area"], annotation["bbox"]):
        return annotation["area"]
    counts["replaced_areas"] += "area" in annotation
    return box[2] * box[3]


def _renumbered(split: Split, cleaned: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the image entries. Their ids, and those of the annotations, are whole numbers from now on."""
    of_image = numbers(list(split.images), positive=False)
    of_annotation = numbers([entry["id"] for entry in cleaned], positive=True)
    split.counts["renumbered_images"] = sum(key != number for key, number in of_image.items())
    split.counts["renumbered_annotations"] = sum(key != number for key, number in of_annotation.items())
    for entry in cleaned:
        entry |= {"id": of_annotation[entry["id"]], "image_id": of_image[entry["image_id"]]}
    return [{**image, "id": of_image[key]} for key, image in split.images.items()]


def _object_fault(annotation: dict[str, Any], image: dict[str, Any]) -> str:
    """Return what is wrong with an object's `iscrowd` or segmentation ("" if nothing is)."""
    if is_crowd(annotation.get("iscrowd")) is None:
        return f"iscrowd is {brief(annotation['iscrowd'])}, neither 0 nor 1"
    if not annotation.get("segmentation"):
        return ""
    fault = mask_fault(annotation["segmentation"], image["width"], image["height"])
    return fault and f"segmentation {fault}"


def is_box(values: Any) -> bool:
    """Whether a value is a list of four finite numbers."""
    return isinstance(values, list) and len(values) == 4 and all(map(is_number, values))


def _box(values: list[Any], width: int, height: int) -> tuple[list[float], str]:
    """Return a box [x, y, w, h] cut at the image's edges, and what is wrong with it ("" if nothing is)."""
    if not is_box(values):
        return [], "is not four numbers [x, y, width, height]"
    x, y, w, h = values
    if w <= 0 or h <= 0:
        return [], "has no area"
    if min(w, h) < THINNEST:
        return [], f"is thinner than {THINNEST:g} pixels"
    if min(x, y) < -TOLERANCE or x + w > width + TOLERANCE or y + h > height + TOLERANCE:
        corners = x < w <= width + TOLERANCE and y < h <= height + TOLERANCE and min(x, y) >= -TOLERANCE
        hint = " (it would fit as corners [x1, y1, x2, y2])" if corners else ""
        return [], f"reaches outside the image of {width} × {height} pixels{hint}"
    left, top = max(x, 0), max(y, 0)
    box = [left, top, min(x + w, width) - left, min(y + h, height) - top]
    return box, "" if min(box[2:]) >= THINNEST else "has no area inside the image"
