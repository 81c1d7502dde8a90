"""Read prepared data: uint8 arrays and a manifest in one directory (docs/use/formats.md, *Prepared data*)."""

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mast.data.prepared.index import IndexedImages
from mast.errors import MastError
from mast.files import read_json, sha256_file
from mast.records import Manifest
from mast.results import DataFiles


class PreparedData:
    """A prepared dataset, read from its directory. Images are memory-mapped and read-only.

    A file's hash is compared with the recorded one before its content is first used.

    Raises:
        MastError: the manifest or a file of it is missing or damaged, or an array does not have the recorded shape.
    """

    def __init__(self, path: Path) -> None:
        """Open the directory and compare its files with the manifest, without reading their content."""
        self.path = Path(path)
        self._file = DataFiles(self.path).manifest
        self._verified: set[str] = set()
        if not self._file.is_file():
            raise MastError(f"{self.path}: not a prepared dataset (no {self._file.name}); run `mast prepare` first")
        self.manifest = Manifest.read(self._file)
        for file in self.manifest.files:
            if not (self.path / file).is_file():
                raise MastError(f"{self.path / file}: missing, though {self._file.name} names it; {self._remedy}")
        for split, counts in self.manifest.splits.items():
            self._check_split(split, counts["count"])

    @property
    def name(self) -> str:
        """The name under which the data were prepared."""
        return self.manifest.name

    @property
    def sha256(self) -> str:
        """Identity of the data: hash over the hashes of all files."""
        return self.manifest.sha256

    @property
    def targets(self) -> dict[str, list[str]]:
        """Class names of each target, in the order of the label columns."""
        return self.manifest.targets

    @property
    def mean(self) -> list[float]:
        """Mean of the training images per channel, RGB in [0, 1]."""
        return self.manifest.mean

    @property
    def std(self) -> list[float]:
        """Standard deviation of the training images' pixels per channel, RGB in [0, 1]."""
        return self.manifest.std

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the data have."""
        return tuple(self.manifest.splits)

    def has(self, split: str) -> bool:
        """Whether the data have a split."""
        return split in self.manifest.splits

    def count(self, split: str) -> int:
        """Number of images of a split."""
        self._require(split)
        return self.manifest.splits[split]["count"]

    def has_images(self, split: str) -> bool:
        """Return whether a split's images are one array (otherwise they stay in place, see `annotations`)."""
        return f"{split}_images.npy" in self.manifest.files

    def images(self, split: str) -> np.memmap | IndexedImages:
        """Return uint8 [N, H, W, 3]; for an index, images are decoded when rows are read."""
        self._require(split)
        index = self.manifest.index
        if index is None:
            return self._array(f"{split}_images.npy")
        if not Path(index.root).is_dir():
            raise MastError(f"{index.root}: missing; the images of {self.name!r} are decoded from there")
        paths, sizes = self._array(f"{split}_paths.npy"), self._array(f"{split}_sizes.npy")
        reading = {"levels": index.range, "transform": index.transform, "upright": index.exif == "upright"}
        return IndexedImages(Path(index.root), paths, index.size, sizes=sizes, **reading)

    def paths(self, split: str) -> np.ndarray:
        """Return the paths of a split's images relative to the index's root, bytes [N], memory-mapped.

        Raises:
            MastError: the data are not an index; prepared arrays do not keep file names.
        """
        self._require(split)
        if self.manifest.index is None:
            raise MastError(f"{self.path}: {self.name!r} keeps no file names; set its storage to index")
        return self._array(f"{split}_paths.npy")

    def labels(self, split: str) -> np.ndarray | None:
        """Return labels int64 [N, T], column t for the t-th target; None if there are none."""
        self._require(split)
        file = f"{split}_labels.npy"
        return np.array(self._array(file)) if file in self.manifest.files else None

    @cached_property
    def val_indices(self) -> np.ndarray:
        """Return the positions in train that form the validation split, int64, ascending."""
        return np.array(self._array("val_indices.npy"))

    def annotations(self, split: str) -> dict[str, Any]:
        """Return COCO instances of a detection dataset; `images_root` is present if the images stay in place."""
        self._require(split)
        file = f"{split}_annotations.json"
        if file not in self.manifest.files:
            raise MastError(f"{self.path}: {self.name!r} has no annotations; a detection dataset is needed here")
        self._verify(file)
        return read_json(self.path / file)

    def verify(self) -> None:
        """Compare the content of every file, including images that stay in place, with its recorded hash.

        Raises:
            MastError: a file has changed since it was prepared.
        """
        for file in self.changed_files():
            raise MastError(f"{file}: has changed since it was prepared; {self._remedy}")

    def changed_files(self) -> Iterator[Path]:
        """Yield every file, including images that stay in place, that differs from its record.

        For an index only the sizes of the images are compared; hashing them would read every byte.
        """
        for file, recorded in self.manifest.files.items():
            if _differs(self.path / file, recorded):
                yield self.path / file
            elif file.endswith("_annotations.json"):
                yield from _changed_in_place(read_json(self.path / file))
            elif file.endswith("_paths.npy"):
                yield from self._changed_in_index(file.removesuffix("_paths.npy"))

    def _changed_in_index(self, split: str) -> Iterator[Path]:
        root = Path(self.manifest.index.root)
        paths, sizes = self._array(f"{split}_paths.npy"), self._array(f"{split}_sizes.npy")
        for path, (_, _, size) in zip(paths, sizes, strict=True):
            file = root / os.fsdecode(path)
            if not file.is_file() or file.stat().st_size != size:
                yield file

    @property
    def _remedy(self) -> str:
        again = f"snakemake --profile profiles/default {self._file}"
        return f"delete {self.path} and prepare the data again: {again}"

    def _check_split(self, split: str, count: int) -> None:
        shapes = {"images": (None, None, 3), "labels": (len(self.targets),), "paths": (), "sizes": (3,)}
        for kind, of_one in shapes.items():
            expected = (count, *of_one)
            file = f"{split}_{kind}.npy"
            if file not in self.manifest.files:
                continue
            shape = self._map(file).shape
            fits = len(shape) == len(expected) and all(
                want in (None, have) for have, want in zip(shape, expected, strict=True)
            )
            if not fits:
                raise MastError(f"{self.path / file}: shape {shape} does not fit {self._file.name}; {self._remedy}")

    def _require(self, split: str) -> None:
        if not self.has(split):
            raise MastError(f"{self.path}: {self.name!r} has no split {split!r}; it has {', '.join(self.splits)}")

    def _array(self, file: str) -> np.ndarray:
        if file not in self.manifest.files:
            raise MastError(f"{self.path}: {self.name!r} has no {file}; its images or labels are of another kind")
        self._verify(file)
        return self._map(file)

    def _verify(self, file: str) -> None:
        if file not in self._verified and _differs(self.path / file, self.manifest.files[file]):
            raise MastError(f"{self.path / file}: has changed since it was prepared; {self._remedy}")
        self._verified.add(file)

    def _map(self, file: str) -> np.ndarray:
        try:
            return np.load(self.path / file, mmap_mode="r")
        except (OSError, ValueError, EOFError):
            raise MastError(f"{self.path / file}: damaged or cut off; {self._remedy}") from None


def _changed_in_place(coco: dict[str, Any]) -> Iterator[Path]:
    for image in coco["images"] if "images_root" in coco else ():
        file = Path(coco["images_root"]) / image["file_name"]
        if _differs(file, image["sha256"]):
            yield file


def _differs(file: Path, recorded: str) -> bool:
    return not file.is_file() or sha256_file(file) != recorded


def open_prepared(path: Path) -> PreparedData:
    """Open a prepared dataset.

    Raises:
        MastError: it is incomplete or damaged.
    """
    return PreparedData(path)
