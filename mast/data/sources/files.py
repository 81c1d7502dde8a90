"""Data sets of image files and split files that torchvision reads."""

from pathlib import Path

import numpy as np
from torchvision.datasets import DTD, Caltech101, FGVCAircraft, Flowers102, Food101, StanfordCars, VisionDataset

from mast.data.sources.source import Contents, Split
from mast.errors import MastError

CALTECH_TRAIN, CALTECH_VALIDATION = 25, 5
"""Images of each class of Caltech-101; all others are test (AugSelf: 2,525 / 505 / 5,647)."""
CALTECH_SEED = 0
"""Ours: the published splits are lists of files without a seed."""


class _Flowers102(Flowers102):
    """Without checksums: they are compared before (or not, with `verify: false`)."""

    def _check_integrity(self) -> bool:
        return True


def read_food101(root: Path) -> Contents:
    """`food-101/`: `meta/{train,test}.json`, `images/<class>/*.jpg`."""
    train, test = (Food101(root, split=split, loader=Path) for split in ("train", "test"))
    return Contents({"train": _split(train), "test": _split(test)}, train.classes)


def read_flowers102(root: Path) -> Contents:
    """`flowers-102/`: `jpg/*.jpg`, `imagelabels.mat`, `setid.mat`."""
    train, validation, test = (_Flowers102(root, split=split, loader=Path) for split in ("train", "val", "test"))
    return _three(train, validation, test, Flowers102.classes)


def read_dtd(root: Path) -> Contents:
    """`dtd/dtd/`: `labels/{train,val,test}1.txt`, `images/<class>/*.jpg`; split 1."""
    train, validation, test = (DTD(root, split=split, loader=Path) for split in ("train", "val", "test"))
    return _three(train, validation, test, train.classes)


def read_aircraft(root: Path) -> Contents:
    """`fgvc-aircraft-2013b/data/`: `images_variant_{train,val,test}.txt`, `variants.txt`, `images/*.jpg`."""
    train, validation, test = (FGVCAircraft(root, split=split, loader=Path) for split in ("train", "val", "test"))
    return _three(train, validation, test, train.classes)


def read_cars(root: Path) -> Contents:
    """`stanford_cars/`: `devkit/*.mat`, `cars_test_annos_withlabels.mat`, `cars_{train,test}/*.jpg`."""
    train, test = (StanfordCars(root, split=split, loader=Path) for split in ("train", "test"))
    return Contents({"train": _split(train), "test": _split(test)}, train.classes)


def read_caltech101(root: Path) -> Contents:
    """`caltech101/101_ObjectCategories/<class>/image_*.jpg`; a fixed number of images of each class is drawn."""
    data = Caltech101(root)
    folder = Path(data.root) / "101_ObjectCategories"
    labels = np.array(data.y)
    numbered = zip(data.y, data.index, strict=True)
    files = [folder / data.categories[label] / f"image_{number:04d}.jpg" for label, number in numbered]
    order = np.random.default_rng(CALTECH_SEED).permutation(len(labels))
    train, validation = np.zeros(len(labels), bool), np.zeros(len(labels), bool)
    for label, name in enumerate(data.categories):
        members = order[labels[order] == label]
        if len(members) <= CALTECH_TRAIN + CALTECH_VALIDATION:
            least = CALTECH_TRAIN + CALTECH_VALIDATION + 1
            raise MastError(f"{folder / name}: {len(members)} images; a class of Caltech-101 needs {least} or more")
        train[members[: CALTECH_TRAIN + CALTECH_VALIDATION]] = True
        validation[members[:CALTECH_VALIDATION]] = True
    splits = {
        name: Split([files[row] for row in rows], labels[rows], rows)
        for name, rows in (("train", np.flatnonzero(train)), ("test", np.flatnonzero(~train)))
    }
    return Contents(splits, data.categories, np.flatnonzero(validation[train]))


def _three(train: VisionDataset, validation: VisionDataset, test: VisionDataset, classes: list[str]) -> Contents:
    """Train and validation become one split, whose last images are the validation split."""
    first, second = _split(train), _split(validation)
    both = Split([*first.images, *second.images], np.concatenate([first.labels, second.labels]))
    held_out = np.arange(len(first.images), len(both.images))
    return Contents({"train": both, "test": _split(test)}, list(classes), held_out)


def _split(data: VisionDataset) -> Split:
    files, labels = zip(*(data[position] for position in range(len(data))), strict=True)
    return Split(list(files), np.array(labels, np.int64))
