"""Splits and classes of a directory of images: a folder for each class, or flat and unlabeled."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mast.data.decode import SHOWN
from mast.data.names import composed, difference, seen, twin, written_out
from mast.data.prepared.splits import stratified_split
from mast.data.search import Found, look_into, search
from mast.errors import MastError

log = logging.getLogger(__name__)

_LAYOUT = (
    "expected <root>/train/<class>/* (and <root>/{test,val}/<class>/*), or unlabeled images directly in <root>; "
    "for unlabeled images in folders set labels: none"
)
SPLITS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
"""Split → names that its folder may have."""


@dataclass(frozen=True)
class Listing:
    """Image files of one split, sorted within train and within val, and labels int64 [N] into `classes`."""

    files: list[Path]
    labels: np.ndarray | None
    classes: list[str]
    left_out: tuple[Path, ...] = ()
    """Files in the folder that are not images of the split."""
    validation: np.ndarray | None = None
    """Positions of the images that come from a validation folder, int64; None if there is no such folder."""


def list_splits(root: Path) -> dict[str, Listing]:
    """Find the images of a directory: `train` and, if present, `test`. Images of `val` come last in train.

    Raises:
        MastError: the layout is not one of the two supported ones, or the splits do not fit each other.
    """
    top = look_into(root)
    folders = _split_folders(root, top.folders)
    if "train" not in folders:
        return {"train": _unlabeled(root, top, folders)}
    train = _labeled_or_flat(folders["train"])
    _check_two_classes(folders["train"], train)
    if train.classes and "val" in folders and "test" not in folders:
        raise MastError(
            f"{root}: has train and {folders['val'].name} but no test; name the folder to test on {root / 'test'}"
        )
    others = [path for path in (*top.images, *top.left_out, *top.folders) if path not in folders.values()]
    splits = {"train": _joined(train, folders.get("val"), others)}
    if "test" in folders:
        test = _labeled_or_flat(folders["test"])
        if not train.classes or not test.classes:
            bare = "test" if train.classes else "train"
            raise MastError(
                f"{root / bare}: holds no class folders, which a dataset with a test split needs; {_LAYOUT}"
            )
        splits["test"] = Listing(test.files, _labels(folders["test"], test, train), train.classes, test.left_out)
    return splits


def list_drawn(root: Path, fraction: float, seed: int) -> dict[str, Listing]:
    """List images in a folder for each class, in `train` or directly in `root`; a share of each class is drawn for
    `test`.

    Raises:
        MastError: there is a test split, or there are no class folders; see `list_splits`.
    """
    top = look_into(root)
    folders = _split_folders(root, top.folders)
    if "test" in folders:
        raise MastError(f"{folders['test']}: is the test split; leave out test_fraction")
    if "train" not in folders and folders:
        raise MastError(f"{root}: has {next(iter(folders.values())).name} but no train folder; {_LAYOUT}")
    train = list_class_folders(folders.get("train", root))
    _check_two_classes(folders.get("train", root), train)
    others = [path for path in (*top.images, *top.left_out, *top.folders) if path not in folders.values()]
    whole = _joined(train, folders.get("val"), others if folders else ())
    validation = np.zeros(0, np.int64) if whole.validation is None else whole.validation
    own = np.setdiff1d(np.arange(len(whole.files)), validation)
    test = own[stratified_split(whole.labels[own], fraction, seed)[1]]
    kept = np.setdiff1d(np.arange(len(whole.files)), test)
    held_out = None if whole.validation is None else np.searchsorted(kept, validation)
    return {
        "train": replace(
            whole, files=[whole.files[row] for row in kept], labels=whole.labels[kept], validation=held_out
        ),
        "test": Listing([whole.files[row] for row in test], whole.labels[test], whole.classes),
    }


def list_unlabeled(root: Path) -> Listing:
    """List all images of a directory at any depth, without labels; only those below `train` if there is such a folder.

    Raises:
        MastError: there are none, or a directory cannot be read.
    """
    top = look_into(root)
    folders = _split_folders(root, top.folders)
    if "train" not in folders:
        found = search(root)
        left_out = found.left_out
    else:
        found = search(folders["train"])
        left_out = [*found.left_out, *top.images, *top.left_out]
        left_out += [folder for folder in top.folders if folder != folders["train"]]
    if not found.images:
        raise MastError(f"{folders.get('train', root)}: {_no_images(found.left_out)}")
    return Listing(found.images, None, [], tuple(left_out))


def _split_folders(root: Path, folders: list[Path]) -> dict[str, Path]:
    """Return the folder of each split that has one."""
    found = {}
    for split, names in SPLITS.items():
        here = [folder for folder in folders if folder.name in names]
        if len(here) > 1:
            raise MastError(f"{root}: has both {here[0].name} and {here[1].name}; keep one")
        if here:
            found[split] = here[0]
            continue
        for folder in folders:
            if seen(folder.name).casefold() in names:
                meant = seen(folder.name).casefold()
                raise MastError(f"{folder}: rename it to {meant} ({difference(folder.name, meant)})")
    return found


def _unlabeled(root: Path, top: Found, folders: dict[str, Path]) -> Listing:
    if "test" in folders:
        raise MastError(f"{root}: has a test folder but no train folder; {_LAYOUT}")
    in_folders = any(search(folder).images for folder in top.folders)
    if top.images and in_folders:
        raise MastError(f"{root}: holds images both directly and in folders; {_LAYOUT}")
    if in_folders:
        raise MastError(
            f"{root}: has folders of images but no train folder; {_LAYOUT}; if the folders are classes, "
            "set test_fraction"
        )
    if not top.images:
        raise MastError(f"{root}: {_no_images(top.left_out)}; {_LAYOUT}")
    return Listing(top.images, None, [], (*top.left_out, *top.folders))


def _check_two_classes(folder: Path, listing: Listing) -> None:
    if len(listing.classes) == 1:
        raise MastError(
            f"{folder}: only one class ({listing.classes[0]!r}); make it two, or set labels: none if the images are "
            "unlabeled"
        )


def _labeled_or_flat(split: Path) -> Listing:
    here = look_into(split)
    if here.images and here.folders:
        raise MastError(f"{split}: holds images both directly ({here.images[0].name}) and in folders; {_LAYOUT}")
    if here.images:
        return Listing(here.images, None, [], tuple(here.left_out))
    return list_class_folders(split)


def list_class_folders(split: Path) -> Listing:
    """List images in one folder for each class, at any depth. Classes are numbered in the order of their names.

    Raises:
        MastError: there is no folder, or one without images, or two whose names look the same.
    """
    here = look_into(split)
    left_out = [*here.images, *here.left_out]
    if not here.folders:
        raise MastError(f"{split}: {_no_images(here.left_out)}; {_LAYOUT}")
    check_names(split, [folder.name for folder in here.folders])
    files, labels = [], []
    for label, folder in enumerate(here.folders):
        found = search(folder)
        if not found.images:
            holds = f" (it holds {found.left_out[0].name})" if found.left_out else ""
            raise MastError(f"{folder}: class folder without images{holds}; remove it, or put images in")
        files += found.images
        labels += [label] * len(found.images)
        left_out += found.left_out
    return Listing(files, np.array(labels, np.int64), [folder.name for folder in here.folders], tuple(left_out))


def check_names(where: Path | str, names: list[str]) -> None:
    """Refuse two classes that look the same, and warn of classes that differ only in case.

    Raises:
        MastError: two classes look the same; the message begins with `where`.
    """
    looks: dict[str, str] = {}
    for name in names:
        other = looks.setdefault(seen(name), name)
        if other != name:
            raise MastError(f"{where}: two classes look the same, {difference(other, name)}; merge or rename them")
    cases: dict[str, str] = {}
    for name in names:
        other = cases.setdefault(name.casefold(), name)
        if other != name:
            log.warning("%s: the classes %r and %r differ only in case", where, other, name)


def _joined(train: Listing, val: Path | None, others: Iterable[Path]) -> Listing:
    """Return train with the images of val appended."""
    left_out = (*others, *train.left_out)
    if val is None:
        return Listing(train.files, train.labels, train.classes, left_out)
    held_out = _labeled_or_flat(val)
    if bool(train.classes) != bool(held_out.classes):
        bare = val if train.classes else val.with_name("train")
        raise MastError(f"{bare}: holds no class folders, but {'train' if train.classes else val.name} does; {_LAYOUT}")
    labels = np.concatenate([train.labels, _labels(val, held_out, train)]) if train.classes else None
    files = [*train.files, *held_out.files]
    positions = np.arange(len(train.files), len(files))
    return Listing(files, labels, train.classes, (*left_out, *held_out.left_out), positions)


def _labels(folder: Path, split: Listing, train: Listing) -> np.ndarray:
    """Return the labels of a split in the numbers of train's classes, int64 [N]. Names match if their NFC forms do."""
    numbers = {composed(name): number for number, name in enumerate(train.classes)}
    for name in split.classes:
        if composed(name) not in numbers:
            near = twin(name, train.classes)
            hint = "" if near is None else f"; rename one: {difference(name, near)}"
            shown = written_out(name) if near else repr(name)
            raise MastError(f"{folder / name}: class {shown} is in {folder.name} but not in train{hint}")
    return np.array([numbers[composed(name)] for name in split.classes], np.int64)[split.labels]


def _no_images(left_out: list[Path]) -> str:
    others = f"but {left_out[0].name}; " if left_out else ""
    return f"holds no images ({others}such as {SHOWN})"
