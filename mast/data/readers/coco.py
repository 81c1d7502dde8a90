"""`coco`: a detection data set of the user's own, annotated in COCO's instances format. Images stay in place."""

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from mast.data import outside
from mast.data.known_labels import KnownObjects
from mast.data.prepared.instances import Split, write_instances
from mast.data.readers import DataPath
from mast.data.settings import InPlace
from mast.errors import MastError
from mast.settings import StrictModel


class CocoSplit(StrictModel):
    """One split of a detection data set."""

    images: DataPath
    """Directory of the images."""
    annotations: DataPath
    """COCO instances JSON."""


class CocoData(InPlace):
    """A detection data set: directories of images with COCO JSON annotations."""

    kind: Literal["coco"]
    train: CocoSplit
    test: CocoSplit
    unreadable: Literal["stop", "skip"] = "stop"
    """What an image that cannot be decoded, a box without area or outside its image, or a faulty segmentation does:
    stop with its name, or be skipped and counted in the manifest."""
    licence: str = "not stated"

    def prepare(self, name: str, output: Path, threads: int) -> None:
        """Check every annotation and decode every image, and write cleaned annotations.

        Categories are numbered 1…C in the order of the training file's ids; categories of test are matched by name.

        Raises:
            MastError: a file is missing, damaged or inconsistent; one line that names the file and the entry.
        """
        splits = {"train": _read(self.train), "test": _read(self.test)}
        classes = [splits["train"].names[key] for key in sorted(splits["train"].names)]
        source = f"COCO instances {self.train.annotations} and {self.test.annotations}"
        write_instances(name, self, splits, classes, output, source, threads)

    @cached_property
    def known_objects(self) -> KnownObjects:
        """As the annotation files say; which of them can be used, preparing tells.

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
        """The annotation files, and the images that they name."""
        for split in (self.train, self.test):
            yield outside.Text(split.annotations)
            yield outside.Listed(split.images, tuple(image["file_name"] for image in _read(split).images.values()))


def _read(spec: CocoSplit) -> Split:
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
    return Split(file, root, names, images, annotations)


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
