"""Description of a public dataset, and what a reader returns."""

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
    """int [N]: positions among all images of the source, if the split is drawn by us."""
    left_out: tuple[Path, ...] = ()
    """Files in the class folders that are not images."""


@dataclass(frozen=True)
class Contents:
    """A whole dataset as read."""

    splits: dict[str, Split]
    """`train` and, if it exists, `test`."""
    classes: list[str]
    """Class names in the order of the labels; empty without labels."""
    validation: np.ndarray | None = None
    """int: positions in train that form the validation split, if the source or protocol fixes them one by one."""


@dataclass(frozen=True)
class Archive:
    """A file to fetch, and what it is unpacked to."""

    url: str
    md5: str | None
    """MD5 of the file; None if its publisher states none."""
    makes: str
    """File or directory, below the root, that exists after unpacking. The archive is unpacked into its parent."""
    inner: str | None = None
    """An archive inside this one, which is unpacked instead."""


@dataclass(frozen=True)
class Source:
    """One public dataset."""

    title: str
    homepage: str
    read: Callable[[Path], Contents]
    """Function from the root directory to the contents; the files in `files` must exist."""
    files: Mapping[str, str | None]
    """Files and directories below the root that must exist, with their MD5 if one is published."""
    counts: Mapping[str, int]
    """Official number of images of each split."""
    classes: int
    gigabytes: float
    """Size of its archives, approximately; unpacked they take about as much again."""
    validation: tuple[int, int] | None = None
    """Size of the validation split drawn from train, and its seed; None if `read` returns the split."""
    archives: tuple[Archive, ...] = ()
    """Archives; empty if the data cannot be fetched without registering."""
    licence: str = "not stated by its authors"
