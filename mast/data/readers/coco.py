"""`coco`: a detection dataset of your own, annotated in COCO's instances format. Images stay in place."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from reprlib import repr as brief
from typing import Any, Literal

import numpy as np

from mast.data import outside
from mast.data.annotations import Id, boxes_fault, identity, in_order, is_number
from mast.data.known_labels import KnownObjects
from mast.data.names import Finder, difference, seen
from mast.data.prepared.instances import TOLERANCE, Split, is_box, write_instances
from mast.data.readers import DataPath
from mast.data.settings import InPlace
from mast.errors import MastError
from mast.files import path_below
from mast.settings import StrictModel


class CocoSplit(StrictModel):
    """One split of a detection dataset."""

    images: DataPath
    """Directory of the images."""
    annotations: DataPath
    """Annotation file, COCO instances JSON."""


class CocoData(InPlace):
    """A detection dataset: directories of images with COCO JSON annotations."""

    kind: Literal["coco"]
    train: CocoSplit
    """Images and annotations to train on."""
    test: CocoSplit
    """Images and annotations that detectors are scored on."""
    unreadable: Literal["stop", "skip"] = "stop"
    """What happens to an image that cannot be decoded, a box without area or outside its image, or a faulty
    segmentation. `stop`: `prepare` stops and names it. `skip`: it is left out and counted in the manifest.
    """
    licence: str = "not stated"
    """Licence of the data, recorded in the manifest."""

    def prepare(self, name: str, output: Path, threads: int) -> None:
        """Check every annotation and decode every image, and write cleaned annotations.

        Categories are numbered 1…C in the order of the training file's ids; categories of test are matched by name.
        Ids may be any whole numbers or texts. Corrected values are counted in the manifest (docs/use/data.md).

        Raises:
            MastError: a file is missing, damaged or inconsistent; one line that names the file and the entry.
        """
        splits = {"train": _read(self.train), "test": _read(self.test)}
        classes = [splits["train"].names[key] for key in in_order(splits["train"].names)]
        source = f"COCO instances {self.train.annotations} and {self.test.annotations}"
        write_instances(name, self, splits, classes, output, source, threads)

    @cached_property
    def known_objects(self) -> KnownObjects:
        """Objects in the annotation files; only preparing tells which of them can be used.

        Raises:
            MastError: a file is missing, damaged or inconsistent.
        """
        without = None
        splits = [_read(self.train), _read(self.test)]
        for split in splits:
            bare = (entry for entry in split.annotations if not entry.get("segmentation"))
            if without is None and (found := next(bare, None)) is not None:
                without = split.annotation_place(found)
        images = {entry["image_id"] for entry in splits[0].annotations if not entry.get("iscrowd")}
        return KnownObjects(len(images), without)

    def sources(self) -> Iterator[outside.Place]:
        """Return the annotation files, and the images that they name."""
        for split in (self.train, self.test):
            yield outside.Text(split.annotations)
            yield outside.Listed(split.images, tuple(image["file_name"] for image in _read(split).images.values()))


@dataclass
class _CocoFile(Split):
    """A split whose boxes may be in another form than COCO's."""

    def check_boxes(self) -> None:
        """Check all boxes together, once the sizes of the images are known."""
        known = [entry for entry in self.annotations if entry["image_id"] in self.images and is_box(entry["bbox"])]
        boxes = np.array([entry["bbox"] for entry in known], float).reshape(-1, 4)
        areas = [entry.get("area") if is_number(entry.get("area")) else np.nan for entry in known]
        images = [self.images[entry["image_id"]] for entry in known]
        sizes = np.array([(image["width"], image["height"]) for image in images], float).reshape(-1, 2)
        if fault := boxes_fault(boxes, np.array(areas, float), sizes, TOLERANCE):
            raise MastError(f"{self.file}: {fault}")


def _read(spec: CocoSplit) -> Split:
    """Read one annotation file and check that its parts refer to each other."""
    file, root = Path(spec.annotations), Path(spec.images)
    if not root.is_dir():
        there = Finder().hint(root)
        raise MastError(f"{root}: no such directory{there}; set images to the directory of the images of {file}")
    values = _lists(file)
    names = _class_names(file, values["categories"])
    images = _by_id(file, "image", values["images"], {"file_name": str})
    needed = {"image_id": int | str, "category_id": int | str, "bbox": list}
    annotations = list(_by_id(file, "annotation", values["annotations"], needed).values())
    for annotation in annotations:
        where = f"{file}: annotation {brief(annotation['id'])}"
        if annotation["image_id"] not in images:
            raise MastError(f"{where}: image_id {brief(annotation['image_id'])} is not in images")
        if annotation["category_id"] not in names:
            raise MastError(f"{where}: category_id {brief(annotation['category_id'])} is not in categories")
    finder = Finder()
    for key, image in images.items():
        found = finder.find(root / image["file_name"])
        if found is None:
            hint = finder.hint(root / image["file_name"])
            raise MastError(f"{file}: image {brief(key)} names {image['file_name']!r}, which is not in {root}{hint}")
        if found != root / image["file_name"]:
            image["file_name"] = Path(path_below(root, found)).as_posix()
    return _CocoFile(file, root, names, images, annotations)


def _lists(file: Path) -> dict[str, list[Any]]:
    """Return the content of an annotation file: images, annotations, categories."""
    if not file.is_file():
        raise MastError(f"{file}: no such file{Finder().hint(file)}; set annotations to a COCO instances JSON")
    try:
        values = json.loads(file.read_bytes())
    except OSError as error:
        raise MastError(f"{file}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise MastError(f"{file}: is not text in UTF-8; a COCO instances JSON is needed") from None
    except (ValueError, RecursionError) as error:
        raise MastError(f"{file}: not valid JSON ({error}); a COCO instances JSON is needed") from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(values, dict) or not isinstance(values.get(key), list):
            raise MastError(f"{file}: no list {key!r}; a COCO instances JSON has images, annotations and categories")
        if not values[key]:
            raise MastError(f"{file}: {key!r} is empty")
    return values


def _class_names(file: Path, entries: list[Any]) -> dict[Id, str]:
    """Return category id → name; no two names may look the same."""
    names = {key: category["name"] for key, category in _by_id(file, "category", entries, {"name": str}).items()}
    looks: dict[str, Id] = {}
    for key, name in names.items():
        if not seen(name):
            raise MastError(f"{file}: category {brief(key)}: its name is empty; give it one")
        other = looks.setdefault(seen(name), key)
        if other != key:
            how = "" if names[other] == name else f" ({difference(names[other], name)})"
            both = f"{brief(other)} and {brief(key)}"
            raise MastError(f"{file}: two categories are called {name!r}, {both}{how}; give each its own name")
    return names


def _by_id(file: Path, kind: str, entries: list[Any], needed: dict[str, Any]) -> dict[Id, dict[str, Any]]:
    """Return the entries of a list by their `id`, each with the keys that it needs; ids in the form of `identity`."""
    keyed: dict[Id, dict[str, Any]] = {}
    for position, entry in enumerate(entries):
        key = identity(entry.get("id")) if isinstance(entry, dict) else None
        if key is None:
            raise MastError(f"{file}: {kind} at position {position} has no integer id (nor a text for one)")
        entry = {**entry, "id": key}
        for name, wanted in needed.items():
            value = entry.get(name)
            value = identity(value) if name.endswith("_id") else value
            if not isinstance(value, wanted):
                kinds = "integer" if name.endswith("_id") else wanted.__name__
                raise MastError(f"{file}: {kind} {brief(key)}: {name} is missing or not of type {kinds}")
            entry[name] = value
        if key in keyed:
            raise MastError(f"{file}: two entries of kind {kind} have the id {brief(key)}; give each its own")
        keyed[key] = entry
    return keyed
