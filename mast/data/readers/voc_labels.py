"""`voc-labels`: PASCAL VOC's classification task, with one target for each class."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from mast.data import outside
from mast.data.known_labels import KnownLabels
from mast.data.names import Finder
from mast.data.prepared.splits import random_split
from mast.data.prepared.write_images import finish, write_images
from mast.data.prepared.writer import Writer
from mast.data.settings import VOC_CLASSES, HeldOut, ImageFiles, ImageSet, ImageSets
from mast.data.text import read_lines
from mast.errors import MastError
from mast.settings import Once

VALUES = ["absent", "present"]
"""Values of every target (docs/use/formats.md, *Prepared data*)."""

_LABELS = {"-1": 0, "0": -1, "1": 1}
"""Number in the lists → label; 0 marks images whose only objects of the class are difficult (ignored)."""


_ROOT = "root is the directory that holds VOC2007, …"


class VocLabelsData(ImageSets, ImageFiles, HeldOut):
    """PASCAL VOC's classification task: the classes that an image shows. One label for each class, for `svm-voc`."""

    kind: Literal["voc-labels"]
    train: Annotated[tuple[ImageSet, ...], Field(min_length=1), Once] = ("2007/trainval",)
    """Image sets to train on, each as `<year>/<set>`."""
    test: Annotated[tuple[ImageSet, ...], Field(min_length=1), Once] = ("2007/test",)
    """Image sets to score on, each as `<year>/<set>`."""
    classes: Annotated[tuple[str, ...], Field(min_length=1), Once] = VOC_CLASSES
    """Class names in the files `ImageSets/Main/<class>_<set>.txt`."""
    licence: str = "not stated"
    """Licence of the data, recorded in the manifest."""

    def prepare(self, name: str, output: Path, threads: int) -> None:
        """Write the images and, from `ImageSets/Main/<class>_<set>.txt`, a label for each class.

        Raises:
            MastError: a list or image is missing, a line is not `<image> <-1, 0 or 1>`, or lists of different classes
                name different images.
        """
        with Writer(output) as writer:
            for split, image_sets in (("train", self.train), ("test", self.test)):
                files, labels = _read(self, image_sets)
                kept = write_images(writer, split, files, labels, self, threads)
                if split == "train":
                    held_out = random_split(len(kept), self.validation_fraction, self.split_seed)[1]
                    writer.array("val_indices.npy", held_out)
            source = f"PASCAL VOC layout {self.root}: {', '.join(self.train)} and {', '.join(self.test)}"
            finish(writer, name, self, source, self.licence, dict.fromkeys(self.classes, VALUES), threads)

    def sources(self) -> Iterator[outside.Place]:
        """Return the lists of each class, and the images that they name."""
        for folder, set_name, _ in self.listed(*self.train, *self.test):
            for name in self.classes:
                yield outside.Text(str(folder / f"ImageSets/Main/{name}_{set_name}.txt"))
        for image_sets in (self.train, self.test):
            names = (file.relative_to(self.root).as_posix() for file in _read(self, image_sets)[0])
            yield outside.Listed(self.root, tuple(names))

    @property
    def labelled(self) -> bool:
        """Whether there are labels: always."""
        return True

    @cached_property
    def known_labels(self) -> KnownLabels | None:
        """Labels from the lists, if they exist."""
        if self.missing():
            return None
        train, test = (_read(self, image_sets)[1] for image_sets in (self.train, self.test))
        held_out = random_split(len(train), self.validation_fraction, self.split_seed)[1]
        return KnownLabels(dict.fromkeys(self.classes, len(VALUES)), train, test, held_out)

    @property
    def prepared_bytes(self) -> int | None:
        """Size from the lengths of the lists, if they exist."""
        if self.missing():
            return None
        return sum(len(Path(file).read_bytes().split(b"\n")) for file in self.needed()) * self.size**2 * 3


def _read(spec: VocLabelsData, image_sets: tuple[str, ...]) -> tuple[list[Path], np.ndarray]:
    """Return the image files of some image sets, and labels int64 [N, C]."""
    files: list[Path] = []
    labels: list[np.ndarray] = []
    finder = Finder()
    for folder, set_name, _ in spec.listed(*image_sets):
        lists = [_list(folder / f"ImageSets/Main/{name}_{set_name}.txt", finder) for name in spec.classes]
        for name, of_class in zip(spec.classes, lists, strict=True):
            if of_class.keys() != lists[0].keys():
                raise MastError(
                    f"{folder}: {name}_{set_name}.txt and {spec.classes[0]}_{set_name}.txt name different images; "
                    "unpack the data again"
                )
        for image in lists[0]:
            file = folder / "JPEGImages" / f"{image}.jpg"
            if (found := finder.find_image(file)) is None:
                raise MastError(
                    f"{file}: no such file, though an image set lists it{finder.hint(file)}; unpack the data again"
                )
            files.append(found)
        labels.append(np.array([[of_class[image] for of_class in lists] for image in lists[0]], np.int64))
    return files, np.concatenate(labels)


def _list(file: Path, finder: Finder) -> dict[str, int]:
    """Return image → label, in the order of the file; names of images may contain spaces."""
    labels: dict[str, int] = {}
    for number, line in enumerate(read_lines(finder.find(file) or file, _ROOT), 1):
        image, value = [*line.rsplit(maxsplit=1), ""][:2]
        if value not in _LABELS:
            raise MastError(f"{file}: line {number} is {line!r}, not an image and -1, 0 or 1")
        if image in labels:
            raise MastError(f"{file}: lists image {image!r} twice; name each image once")
        labels[image] = _LABELS[value]
    return labels
