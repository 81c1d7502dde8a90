"""Datasets of image files and split files that torchvision reads."""

from pathlib import Path

import numpy as np
from torchvision.datasets import DTD, Caltech101, FGVCAircraft, Flowers102, Food101, StanfordCars, VisionDataset

from mast.data.sources.augself import published_positions
from mast.data.sources.source import Contents, Split
from mast.errors import MastError

CALTECH_TRAIN, CALTECH_VALIDATION = 25, 5
"""Number of training and validation images of each class of Caltech-101; all others are test (AugSelf: 2,525 / 505 /
5,647).
"""
CALTECH_LIST = "augself/caltech101.pth"
"""Positions of the splits of Caltech-101, in three lists: train, validation, test."""
CALTECH_SEED = 0
"""Seed of the draw for a reduced copy, which the lists do not fit."""


class _Flowers102(Flowers102):
    """Flowers-102 without torchvision's checksums: they are compared before (or not, with `verify: false`)."""

    def _check_integrity(self) -> bool:
        return True


def read_food101(root: Path) -> Contents:
    """`food-101/`: `meta/{train,test}.json`, `images/<class>/*.jpg`."""
    train, test = (Food101(root, split=split, loader=Path) for split in ("train", "test"))
    return Contents({"train": _by_class(_split(train)), "test": _split(test)}, train.classes)


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
    """`caltech101/101_ObjectCategories/<class>/image_*.jpg`, split by AugSelf's lists of positions."""
    data = Caltech101(root)
    folder = Path(data.root) / "101_ObjectCategories"
    labels = np.array(data.y)
    numbered = zip(data.y, data.index, strict=True)
    files = [folder / data.categories[label] / f"image_{number:04d}.jpg" for label, number in numbered]
    listed = published_positions(root / CALTECH_LIST, len(files))
    _, validation, test = _draw_caltech(folder, data.categories, labels) if listed is None else listed
    train = np.setdiff1d(np.arange(len(files)), test)
    splits = {
        name: Split([files[row] for row in rows], labels[rows], rows)
        for name, rows in (("train", train), ("test", test))
    }
    return Contents(splits, data.categories, np.flatnonzero(np.isin(train, validation)))


def _draw_caltech(folder: Path, classes: list[str], labels: np.ndarray) -> list[np.ndarray]:
    """Return positions of train, validation and test, int64, ascending, with as many of each class as in the lists."""
    order = np.random.default_rng(CALTECH_SEED).permutation(len(labels))
    parts: list[list[np.ndarray]] = [[], [], []]
    for label, name in enumerate(classes):
        members = order[labels[order] == label]
        if len(members) <= CALTECH_TRAIN + CALTECH_VALIDATION:
            least = CALTECH_TRAIN + CALTECH_VALIDATION + 1
            raise MastError(f"{folder / name}: {len(members)} images; a class of Caltech-101 needs {least} or more")
        validation, train, test = np.split(members, [CALTECH_VALIDATION, CALTECH_VALIDATION + CALTECH_TRAIN])
        for part, rows in zip(parts, (train, validation, test), strict=True):
            part.append(rows)
    return [np.sort(np.concatenate(part)) for part in parts]


def _three(train: VisionDataset, validation: VisionDataset, test: VisionDataset, classes: list[str]) -> Contents:
    """Join train and validation into one split, whose last images are the validation split."""
    first, second = _split(train), _split(validation)
    both = Split([*first.images, *second.images], np.concatenate([first.labels, second.labels]))
    held_out = np.arange(len(first.images), len(both.images))
    return Contents({"train": both, "test": _split(test)}, list(classes), held_out)


def _by_class(split: Split) -> Split:
    """Sort images by class as AugSelf reads them, because its draw counts positions."""
    order = np.argsort(split.labels, kind="stable")
    return Split([split.images[row] for row in order], split.labels[order])


def _split(data: VisionDataset) -> Split:
    files, labels = zip(*(data[position] for position in range(len(data))), strict=True)
    return Split(list(files), np.array(labels, np.int64))
