"""Finding the images of a directory: a folder for each class, or flat and unlabeled."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mast.data.decode import SUFFIXES
from mast.errors import MastError

_LAYOUT = "expected <root>/train/<class>/* (and <root>/test/<class>/*), or unlabeled images directly in <root>"


@dataclass(frozen=True)
class Listing:
    """The image files of one split, sorted, and their labels: int64 [N] into `classes`, or None."""

    files: list[Path]
    labels: np.ndarray | None
    classes: list[str]


def list_splits(root: Path) -> dict[str, Listing]:
    """Find the images of a directory: `train` and, if it is there, `test`.

    Raises:
        MastError: the layout is not one of the two that are understood, or train and test do not fit each other.
    """
    folders = {folder.name: folder for folder in _visible(root) if folder.is_dir()}
    if "train" not in folders:
        return {"train": _unlabeled(root, folders)}
    train = _labeled_or_flat(folders["train"])
    if len(train.classes) == 1:
        raise MastError(
            f"{root / 'train'}: only one class ({train.classes[0]!r}); make it two, or put unlabeled images into train"
        )
    if "test" not in folders:
        if train.classes and "val" in folders:
            raise MastError(f"{root}: has train and val but no test; name the folder to test on {root / 'test'}")
        return {"train": train}
    test = _labeled_or_flat(folders["test"])
    if not train.classes or not test.classes:
        bare = "test" if train.classes else "train"
        raise MastError(f"{root / bare}: holds no class folders, which a data set with a test split needs; {_LAYOUT}")
    unknown = sorted(set(test.classes) - set(train.classes))
    if unknown:
        raise MastError(f"{root / 'test' / unknown[0]}: class {unknown[0]!r} is in test but not in train")
    positions = np.array([train.classes.index(name) for name in test.classes], np.int64)
    return {"train": train, "test": Listing(test.files, positions[test.labels], train.classes)}


def _unlabeled(root: Path, folders: dict[str, Path]) -> Listing:
    files = _images_in(root)
    if "test" in folders:
        raise MastError(f"{root}: has a test folder but no train folder; {_LAYOUT}")
    if files and any(_images_below(folder) for folder in folders.values()):
        raise MastError(f"{root}: holds images both directly and in folders; {_LAYOUT}")
    if files:
        return Listing(files, None, [])
    if any(_images_below(folder) for folder in folders.values()):
        raise MastError(f"{root}: has folders of images but no train folder; {_LAYOUT}")
    raise MastError(f"{root}: holds no images ({', '.join(sorted(SUFFIXES))}); {_LAYOUT}")


def _labeled_or_flat(split: Path) -> Listing:
    flat = _images_in(split)
    if flat and any(folder.is_dir() for folder in _visible(split)):
        raise MastError(f"{split}: holds images both directly ({flat[0].name}) and in folders; {_LAYOUT}")
    if flat:
        return Listing(flat, None, [])
    return list_class_folders(split)


def list_class_folders(split: Path) -> Listing:
    """Images in one folder for each class, at any depth; classes are numbered in the order of their names.

    Raises:
        MastError: there is no folder, or one without images.
    """
    folders = [folder for folder in _visible(split) if folder.is_dir()]
    if not folders:
        raise MastError(f"{split}: holds no images ({', '.join(sorted(SUFFIXES))}); {_LAYOUT}")
    files, labels = [], []
    for label, folder in enumerate(folders):
        found = _images_below(folder)
        if not found:
            raise MastError(f"{folder}: class folder without images; remove it, or put images in")
        files += found
        labels += [label] * len(found)
    return Listing(files, np.array(labels, np.int64), [folder.name for folder in folders])


def _visible(directory: Path) -> list[Path]:
    """Entries of a directory, sorted by name, without hidden ones."""
    try:
        return sorted((path for path in directory.iterdir() if not path.name.startswith(".")), key=lambda p: p.name)
    except FileNotFoundError:
        raise MastError(f"{directory}: no such directory; set root to a directory of images") from None
    except NotADirectoryError:
        raise MastError(f"{directory}: is a file; set root to a directory of images") from None
    except OSError as error:
        raise MastError(f"{directory}: cannot be read ({error.strerror})") from None


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def _images_in(directory: Path) -> list[Path]:
    return [path for path in _visible(directory) if _is_image(path)]


def _images_below(directory: Path) -> list[Path]:
    """Images in a directory and all below it; each real directory is entered once, so that links may form loops."""
    files, entered, waiting = [], set(), [directory]
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real not in entered:
            entered.add(real)
            files += _images_in(folder)
            waiting += [path for path in _visible(folder) if path.is_dir()]
    return sorted(files)
