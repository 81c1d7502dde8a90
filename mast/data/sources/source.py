"""What is known of a public dataset, and what a reader returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Split:
    """The images of one split, in the source's order."""

    images: list[Path] | np.ndarray
    """Image files, or uint8 [N, H, W, 3]."""
    labels: np.ndarray | None
    """int [N], or None."""
    drawn: np.ndarray | None = None
    """int [N]: positions among all images of the source, where the split is drawn by us."""
    left_out: tuple[Path, ...] = ()
    """What lies in the folders of its classes and is no image."""


@dataclass(frozen=True)
class Contents:
    """A whole dataset as it was read."""

    splits: dict[str, Split]
    """`train` and, if there is one, `test`."""
    classes: list[str]
    """Class names in the order of the labels; empty without labels."""
    validation: np.ndarray | None = None
    """int: positions in train that form the validation split, where the source or protocol fixes them one by one."""


@dataclass(frozen=True)
class Archive:
    """A file to fetch, and what it is unpacked to."""

    url: str
    md5: str | None
    """None where its publisher states none."""
    makes: str
    """File or directory, below the root, that is there afterwards. Its parent is where the archive is unpacked."""
    inner: str | None = None
    """An archive inside this one, which is what is unpacked."""


@dataclass(frozen=True)
class Source:
    """One public dataset."""

    title: str
    homepage: str
    read: Callable[[Path], Contents]
    """From the root directory to its contents; the files in `files` are there."""
    files: Mapping[str, str | None]
    """Files and directories below the root that must be there, with their MD5 where one is published."""
    counts: Mapping[str, int]
    """Official number of images of each split."""
    classes: int
    gigabytes: float
    """Size of its archives, roughly; unpacked they take about as much again."""
    validation: tuple[int, int] | None = None
    """Size of the validation split drawn from train, and its seed; None where `read` returns the split."""
    archives: tuple[Archive, ...] = ()
    """Empty where the data cannot be fetched without registering."""
    licence: str = "not stated by its authors"
