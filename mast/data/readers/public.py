"""`public`: a public dataset in its official layout, with the splits of its protocol."""

import os
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from mast.data.prepared.write_images import finish, write_images
from mast.data.prepared.writer import Writer
from mast.data.readers import Origin
from mast.data.settings import ImageFiles
from mast.data.sources.source import Contents, Source
from mast.errors import MastError

TARGET = "class"
"""Name of the only target."""

UNLABELLED = ("stl10-unlabeled",)
"""Sources without labels and test split."""

_REDUCED = "or set verify: false for a reduced copy of your own"


class PublicData(ImageFiles):
    """A public dataset in its official layout below `root`, with the splits of its protocol
    (docs/use/public-datasets.md).
    """

    tiny: ClassVar[dict[str, Any]] = ImageFiles.tiny | {"verify": False, "download": False}

    kind: Literal["public"]
    source: Literal[
        "stl10",
        "stl10-unlabeled",
        "cifar10",
        "cifar100",
        "food101",
        "flowers102",
        "pets",
        "dtd",
        "aircraft",
        "cars",
        "caltech101",
        "sun397",
        "mit67",
        "imagenet",
        "imagenet100",
        "places205",
        "inaturalist2018",
    ]
    """Name of the public dataset (docs/use/public-datasets.md)."""
    download: bool = False
    """Whether to fetch and unpack missing files into `root`. By default nothing is downloaded."""
    verify: bool = True
    """Whether checksums and numbers of images must be the official ones; set to false for a reduced copy of your own.
    """

    @model_validator(mode="after")
    def _files_to_index(self) -> Self:
        if self.storage == "index" and self.source.startswith(("stl10", "cifar")):
            raise ValueError(f"storage: {self.source} has no image files that could stay in place; set it to arrays")
        return self

    @property
    def described(self) -> Source:
        """Description of the dataset."""
        from mast.data.sources.catalogue import SOURCES  # imports torchvision, which takes seconds

        return SOURCES[self.source]

    def prepare(self, name: str, output: Path, threads: int) -> None:
        """Fetch what is missing (only with `download: true`), check it, and write the prepared form.

        Raises:
            MastError: a file is missing, damaged or not the official one, or a split does not have its official size;
                one line that names it and what to do.
        """
        from mast.data.sources.archives import fetch

        source, root = self.described, Path(self.root)
        if self.download:
            fetch(source, root)
        _check_files(source, root, self.verify)
        contents = _read(source, root)
        _check_contents(source, root, contents, self.verify)
        with Writer(output) as writer:
            for split, images in contents.splits.items():
                writer.note(split, "left_out", images.left_out, root)
                kept = write_images(writer, split, images.images, images.labels, self, threads)
                if images.drawn is not None:
                    writer.array(f"{split}_drawn.npy", images.drawn[kept])
                if split == "train":
                    held_out = validation_positions(source, contents)
                    writer.array("val_indices.npy", np.flatnonzero(np.isin(kept, held_out)))
            targets = {TARGET: contents.classes} if contents.classes else {}
            finish(writer, name, self, f"{source.title}, {source.homepage}", source.licence, targets, threads)

    @property
    def known_names(self) -> set[bytes] | None:
        """Names of the training images of ImageNet, from its class folders."""
        if self.source != "imagenet" or self.storage != "index" or self.missing():
            return None
        folders = [entry.path for entry in os.scandir(os.fsencode(Path(self.root) / "train")) if entry.is_dir()]
        return {entry.name for folder in folders for entry in os.scandir(folder)}

    @property
    def prepared_bytes(self) -> int:
        """Return the size from the official numbers of images."""
        return 0 if self.storage == "index" else sum(self.described.counts.values()) * self.size**2 * 3

    @property
    def origin(self) -> Origin:
        """The publisher of the data."""
        source = self.described
        archive = source.archives[0].url if self.download and source.archives else None
        return Origin(Path(self.root).absolute(), source.homepage, source.gigabytes, archive)

    @property
    def labelled(self) -> bool:
        """Whether there are labels; most sources have them."""
        return self.source not in UNLABELLED

    def check(self, evaluated: bool) -> None:
        """Check that an evaluated dataset has labels."""
        if evaluated and not self.labelled:
            raise MastError(f"is a task of a study, and {self.source} has neither labels nor a test split")

    def needed(self) -> list[str]:
        """Return the files that its layout needs."""
        return [str(Path(self.root) / file) for file in self.described.files]


def validation_positions(source: Source, contents: Contents) -> np.ndarray:
    """Return the positions in train that form the validation split, int64, ascending.

    If they are drawn, they are the last ones of torch's permutation from the source's seed, as
    `torch.utils.data.random_split` draws them (AugSelf, transfer_linear_eval.py). For a reduced copy the same share is
    held out.
    """
    if contents.validation is not None:
        return contents.validation
    import torch

    count, (size, seed) = len(contents.splits["train"].images), source.validation
    share = max(1, round(size * count / source.counts["train"]))
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).numpy()
    return np.sort(order[count - share :])


def _check_files(source: Source, root: Path, verify: bool) -> None:
    from torchvision.datasets.utils import check_integrity

    for file, md5 in source.files.items():
        path = root / file
        if not path.exists():
            fetching = "set download: true, or get it" if source.archives else "it cannot be downloaded freely; get it"
            address = next((archive.url for archive in source.archives if archive.makes == file), source.homepage)
            raise MastError(
                f"{path}: missing; {source.title} needs {', '.join(source.files)} in {root}: {fetching} from {address}"
            )
        if verify and md5 is not None and not check_integrity(str(path), md5):
            raise MastError(
                f"{path}: differs from the official file (MD5 {md5}); delete it and unpack again, {_REDUCED}"
            )


def _read(source: Source, root: Path) -> Contents:
    try:
        return source.read(root)
    except MastError:
        raise
    except Exception as error:  # pickle, scipy, json and torchvision each raise their own exceptions for a damaged file
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise MastError(f"{root}: not laid out as {source.title} ({reason}); unpack it again") from None


def _check_contents(source: Source, root: Path, contents: Contents, verify: bool) -> None:
    for split, images in contents.splits.items():
        if isinstance(images.images, list):
            missing = [file for file in images.images if not file.is_file()]
            if missing:
                raise MastError(
                    f"{missing[0]}: missing ({len(missing)} of the {len(images.images)} {split} images of "
                    f"{source.title} are); unpack its archive again"
                )
        official = source.counts[split]
        if verify and len(images.images) != official:
            raise MastError(
                f"{root}: {len(images.images)} {split} images, but {source.title} has {official}; "
                f"delete them and unpack again, {_REDUCED}"
            )
    if verify and len(contents.classes) != source.classes:
        raise MastError(
            f"{root}: {len(contents.classes)} classes, but {source.title} has {source.classes}; "
            f"unpack it again, {_REDUCED}"
        )
