"""Datasets whose official splits torchvision does not read: lists of image files, or class folders."""

import json
from pathlib import Path

import numpy as np

from mast.data.folders import list_class_folders
from mast.data.sources.augself import published_positions
from mast.data.sources.source import Contents, Split
from mast.data.text import read_lines
from mast.errors import MastError

SUN397_LIST = "augself/sun397.pth"
"""Positions in the training list: train, validation."""


def read_pets(root: Path) -> Contents:
    """`oxford-iiit-pet/`: `annotations/{trainval,test}.txt` (name, class from 1, species, breed), `images/*.jpg`."""
    folder = root / "oxford-iiit-pet"
    splits, names = {}, {}
    for split, file in (("train", "trainval"), ("test", "test")):
        rows = [line.rsplit(maxsplit=3) for line in _lines(folder / "annotations" / f"{file}.txt")]
        labels = [int(row[1]) - 1 for row in rows]
        names |= {label: row[0].rsplit("_", 1)[0] for label, row in zip(labels, rows, strict=True)}
        splits[split] = Split([folder / "images" / f"{row[0]}.jpg" for row in rows], np.array(labels))
    return Contents(splits, [names[label] for label in sorted(names)])


def read_sun397(root: Path) -> Contents:
    """`SUN397/`: `ClassName.txt`, `{Training,Testing}_01.txt` (first partition), `<letter>/<class>/*.jpg`.

    The validation split is AugSelf's list of positions in `Training_01.txt`.
    """
    folder = root / "SUN397"
    classes = _lines(folder / "ClassName.txt")
    numbers = {name: number for number, name in enumerate(classes)}
    splits = {}
    for split, file in (("train", "Training_01.txt"), ("test", "Testing_01.txt")):
        paths = _lines(folder / file)
        labels = [numbers[path.rsplit("/", 1)[0]] for path in paths]
        splits[split] = Split([folder / path.lstrip("/") for path in paths], np.array(labels))
    listed = published_positions(root / SUN397_LIST, len(splits["train"].images))
    return Contents(splits, [name[len("/a/") :] for name in classes], None if listed is None else listed[1])


def read_mit67(root: Path) -> Contents:
    """`mit67/`: `{Train,Test}Images.txt` (class/file), `Images/<class>/*.jpg`.

    Images are sorted by class and name, as AugSelf reads them from folders, because its draw of the validation split
    counts positions.
    """
    folder = root / "mit67"
    lists = {split: _lines(folder / f"{split.title()}Images.txt") for split in ("train", "test")}
    paths = {split: sorted(listed, key=lambda path: path.split("/")) for split, listed in lists.items()}
    classes = sorted({path.split("/")[0] for path in paths["train"]})
    splits = {
        split: Split(
            [folder / "Images" / path for path in listed],
            np.array([classes.index(path.split("/")[0]) for path in listed]),
        )
        for split, listed in paths.items()
    }
    return Contents(splits, classes)


def read_places205(root: Path) -> Contents:
    """`{train,val}_places205.csv` (path label), and the images under `images256/`."""
    splits, names = {}, {}
    for split, file in (("train", "train_places205.csv"), ("test", "val_places205.csv")):
        rows = [line.rsplit(maxsplit=1) for line in _lines(root / file)]
        labels = np.array([int(label) for _, label in rows])
        names |= {label: path.rsplit("/", 1)[0] for label, (path, _) in zip(labels.tolist(), rows, strict=True)}
        splits[split] = Split([root / "images256" / path for path, _ in rows], labels)
    return Contents(splits, [names[label] for label in sorted(names)])


def read_inaturalist2018(root: Path) -> Contents:
    """`{train,val}2018.json` (COCO-like lists), and the images under `train_val2018/`."""
    splits = {}
    for split, file in (("train", "train2018.json"), ("test", "val2018.json")):
        values = json.loads((root / file).read_bytes())
        classes = {category["id"]: category["name"] for category in values["categories"]}
        label_of = {annotation["image_id"]: annotation["category_id"] for annotation in values["annotations"]}
        files = [root / image["file_name"] for image in values["images"]]
        splits[split] = Split(files, np.array([label_of[image["id"]] for image in values["images"]]))
    return Contents(splits, [classes[number] for number in range(len(classes))])


def read_imagenet(root: Path) -> Contents:
    """`{train,val}/<WordNet id>/*.JPEG`; val, which has public labels, is the test split."""
    train, test = (list_class_folders(root / split) for split in ("train", "val"))
    if unknown := sorted(set(test.classes) - set(train.classes)):
        raise MastError(f"{root / 'val' / unknown[0]}: class {unknown[0]!r} is in val but not in train")
    numbers = np.array([train.classes.index(name) for name in test.classes])
    splits = {
        "train": Split(train.files, train.labels, left_out=train.left_out),
        "test": Split(test.files, numbers[test.labels], left_out=test.left_out),
    }
    return Contents(splits, train.classes)


def _lines(file: Path) -> list[str]:
    return read_lines(file, "unpack the data again")
