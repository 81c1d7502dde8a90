"""STL-10 and CIFAR: images in a few binary files, read by torchvision."""

from pathlib import Path
from typing import ClassVar

import numpy as np
from torchvision.datasets import CIFAR10, CIFAR100, STL10

from mast.data.sources.source import Contents, Split


def checksums(kind: type[CIFAR10] | type[STL10]) -> dict[str, str | None]:
    """Return file below the root → MD5, as torchvision states them."""
    names = {kind.meta["filename"]: kind.meta["md5"]} if issubclass(kind, CIFAR10) else {kind.class_names_file: None}
    files = dict(kind.train_list + kind.test_list) | names
    return {f"{kind.base_folder}/{name}": md5 for name, md5 in files.items()}


class _Cifar10(CIFAR10):
    """CIFAR-10 without torchvision's checksums: they are compared before (or not, with `verify: false`)."""

    meta: ClassVar = {**CIFAR10.meta, "md5": None}

    def _check_integrity(self) -> bool:
        return True


class _Cifar100(CIFAR100):
    meta: ClassVar = {**CIFAR100.meta, "md5": None}

    def _check_integrity(self) -> bool:
        return True


class _Stl10(STL10):
    def _check_integrity(self) -> bool:
        return True


def read_cifar10(root: Path) -> Contents:
    """`cifar-10-batches-py/`: pickled batches."""
    return _cifar(_Cifar10, root)


def read_cifar100(root: Path) -> Contents:
    """`cifar-100-python/`: pickled batches, fine labels."""
    return _cifar(_Cifar100, root)


def _cifar(kind: type[CIFAR10], root: Path) -> Contents:
    train, test = (kind(root, train=train) for train in (True, False))
    splits = {name: Split(data.data, np.array(data.targets)) for name, data in (("train", train), ("test", test))}
    return Contents(splits, list(train.classes))


def read_stl10(root: Path) -> Contents:
    """`stl10_binary/`: the 5,000 labelled images, and test."""
    train, test = (_Stl10(root, split=split) for split in ("train", "test"))
    splits = {name: Split(_rows(data), data.labels) for name, data in (("train", train), ("test", test))}
    return Contents(splits, list(train.classes))


def read_stl10_unlabeled(root: Path) -> Contents:
    """`stl10_binary/`: train and unlabeled together, without labels, for pretraining."""
    return Contents({"train": Split(_rows(_Stl10(root, split="train+unlabeled")), None)}, [])


def _rows(data: STL10) -> np.ndarray:
    return data.data.transpose(0, 2, 3, 1)
