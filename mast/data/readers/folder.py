"""`folder`: any directory of images, with a folder for each class, or flat and unlabeled."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from mast.data import outside
from mast.data.folders import Listing, list_drawn, list_splits, list_unlabeled
from mast.data.known_labels import KnownLabels
from mast.data.prepared.splits import random_split, stratified_split
from mast.data.prepared.write_images import finish, write_images
from mast.data.prepared.writer import Writer
from mast.data.settings import HeldOut, ImageFiles
from mast.errors import MastError

TARGET = "class"
"""Name of the one target of a labelled folder."""


class FolderData(ImageFiles, HeldOut):
    """A directory of images: `<root>/{train,val,test}/<class>/*`, or a flat directory of unlabeled images.

    JPEG, PNG, WebP, AVIF, TIFF, PPM and more (docs/use/data.md), HEIF with pillow-heif; any size; grayscale, palette,
    RGBA and CMYK files are converted to RGB (transparent pixels to white). Without a folder `val`, validation images
    are drawn from train.
    """

    later: ClassVar[frozenset[str]] = ImageFiles.later | {"labels", "test_fraction"}

    kind: Literal["folder"]
    labels: Literal["folders", "none"] = "folders"
    """`folders`: each folder of a split is a class. `none`: unlabeled images at any depth, below `train` if there is
    such a folder; names of folders are ignored.
    """
    licence: str = "not stated"
    """Licence of the data, recorded in the manifest."""
    test_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of each class that becomes the test split if there is no folder `test`, drawn with `split_seed`. The class
    folders may then also be directly in `root`.
    """

    @model_validator(mode="after")
    def _classes_to_draw_from(self) -> "FolderData":
        if self.test_fraction and self.labels == "none":
            raise ValueError("test_fraction: labels: none leaves no classes to test on; leave one out")
        return self

    def prepare(self, name: str, output: Path, threads: int) -> None:
        """Decode, resize and crop every image, and write the prepared form.

        Raises:
            MastError: the directory is missing, empty or has another layout; classes of train and test do not fit
                each other; an image cannot be decoded and `unreadable` is `stop`; too few images are left.
        """
        listings = self._listings
        with Writer(output) as writer:
            for split, listing in listings.items():
                writer.note(split, "left_out", listing.left_out, self.root)
                kept = write_images(writer, split, listing.files, listing.labels, self, threads)
                labels = None if listing.labels is None else listing.labels[kept]
                if labels is not None:
                    _check_classes(Path(self.root), split, listing, labels)
                if split == "train":
                    held_out = self._held_out(listing, kept)
                    if not 0 < len(held_out) < len(kept):
                        few = f"{self.root}: too few training images ({len(kept)})"
                        raise MastError(f"{few}; two of a class are needed at least")
                    writer.array("val_indices.npy", held_out)
            classes = listings["train"].classes
            targets = {TARGET: classes} if classes else {}
            finish(writer, name, self, f"folder {self.root}", self.licence, targets, threads)

    def sources(self) -> Iterator[outside.Place]:
        """Return the images of each split; without train, those directly in `root`."""
        root = Path(self.root)
        if self.labels == "none" or (self.test_fraction and not (root / "train").is_dir()):
            yield outside.Tree(str(root / "train" if (root / "train").is_dir() else root))
            return
        if not (root / "train").is_dir():
            yield outside.Tree(str(root), deep=False)
        for split in ("train", "val", "valid", "validation", "test"):
            yield outside.Tree(str(root / split))

    @cached_property
    def _listings(self) -> dict[str, Listing]:
        root = Path(self.root)
        if self.labels == "none":
            return {"train": list_unlabeled(root)}
        return list_drawn(root, self.test_fraction, self.split_seed) if self.test_fraction else list_splits(root)

    @property
    def train_count(self) -> int:
        """Number of training image files, if all can be read."""
        return len(self._listings["train"].files)

    @cached_property
    def known_labels(self) -> KnownLabels | None:
        """Labels of all files, for a folder with a test split."""
        if "test" not in self._listings:
            return None
        train, test = self._listings["train"], self._listings["test"]
        validation = self._held_out(train, np.arange(len(train.files)))
        return KnownLabels({TARGET: len(train.classes)}, train.labels[:, None], test.labels[:, None], validation)

    @property
    def labelled(self) -> bool:
        """Whether train has a folder for each class."""
        return bool(self._listings["train"].classes)

    def check(self, evaluated: bool) -> None:
        """Check that the layout is supported and, if evaluated, has a test split."""
        if evaluated and self.labels == "none":
            raise MastError("is a task of a study and needs labels; leave out labels: none")
        if evaluated and "test" not in self._listings:
            raise MastError(f"is a task of a study and needs {self.root}/test/<class>/*, or test_fraction")

    def _held_out(self, train: Listing, kept: np.ndarray) -> np.ndarray:
        """Return the positions of the validation images among those at `kept`, int64."""
        if train.validation is not None:
            return np.flatnonzero(np.isin(kept, train.validation))
        if train.labels is None:
            return random_split(len(kept), self.validation_fraction, self.split_seed)[1]
        return stratified_split(train.labels[kept], self.validation_fraction, self.split_seed)[1]


def _check_classes(root: Path, split: str, listing: Listing, readable: np.ndarray) -> None:
    folder = next(place for place in (root / split, root / "train", root) if place.is_dir())
    for index in np.setdiff1d(listing.labels, readable):
        raise MastError(f"{folder / listing.classes[index]}: none of its images can be read")
