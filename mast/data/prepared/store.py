"""Prepared data: uint8 arrays and a manifest in one directory (see docs/design.md, "Prepared data")."""

import os
import shutil
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np

from mast.data.prepared.index import IndexedImages
from mast.data.prepared.subset import Images
from mast.errors import MastError
from mast.files import atomic_path, read_json, sha256_file, sha256_json, write_json, write_sealed_json

FORMAT = 1
"""Version of the prepared format."""

BOX_TARGET = "box"
"""The target of a detection data set; its classes are the categories 1…C of the annotations, in order."""

_MANIFEST = "manifest.json"
_KEYS = ("format", "name", "spec", "source", "licence", "targets", "splits", "mean", "std", "files", "sha256")


class PreparedData:
    """A prepared data set, read from its directory. Images are memory-mapped and read-only.

    A file's hash is compared with the recorded one before its content is first used.

    Raises:
        MastError: the manifest or a file of it is missing or damaged, or an array does not have the recorded shape.
    """

    def __init__(self, path: Path) -> None:
        """Open the directory and compare its files with the manifest, without reading their content."""
        self.path = Path(path)
        self._verified: set[str] = set()
        self.manifest: dict[str, Any] = self._read_manifest()
        for file in self.manifest["files"]:
            if not (self.path / file).is_file():
                raise MastError(f"{self.path / file}: missing, though {_MANIFEST} names it; {self._remedy}")
        for split, counts in self.manifest["splits"].items():
            self._check_split(split, counts["count"])

    @property
    def name(self) -> str:
        """The name under which the data were prepared."""
        return self.manifest["name"]

    @property
    def sha256(self) -> str:
        """The identity of the data: hash over the hashes of all files."""
        return self.manifest["sha256"]

    @property
    def targets(self) -> dict[str, list[str]]:
        """Class names of each target, in the order of the label columns."""
        return self.manifest["targets"]

    @property
    def mean(self) -> list[float]:
        """Mean of the training images per channel, RGB in [0, 1]."""
        return self.manifest["mean"]

    @property
    def std(self) -> list[float]:
        """Standard deviation of the training images' pixels per channel, RGB in [0, 1]."""
        return self.manifest["std"]

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the data have."""
        return tuple(self.manifest["splits"])

    def has(self, split: str) -> bool:
        """Whether the data have a split."""
        return split in self.manifest["splits"]

    def count(self, split: str) -> int:
        """Number of images of a split."""
        self._require(split)
        return self.manifest["splits"][split]["count"]

    def has_images(self, split: str) -> bool:
        """Whether a split's images are one array (else they stay in place, see `annotations`)."""
        return f"{split}_images.npy" in self.manifest["files"]

    def images(self, split: str) -> np.memmap | IndexedImages:
        """uint8 [N, H, W, 3]; of an index, images are decoded when rows are taken."""
        self._require(split)
        index = self.manifest.get("index")
        if index is None:
            return self._array(f"{split}_images.npy")
        if not Path(index["root"]).is_dir():
            raise MastError(f"{index['root']}: missing; the images of {self.name!r} are decoded from there")
        return IndexedImages(Path(index["root"]), self._array(f"{split}_paths.npy"), index["size"])

    def paths(self, split: str) -> np.ndarray:
        """Paths of a split's images relative to the index's root, bytes [N], mapped.

        Raises:
            MastError: the data are not an index: prepared arrays do not keep the names of their files.
        """
        self._require(split)
        if "index" not in self.manifest:
            raise MastError(f"{self.path}: {self.name!r} keeps no file names; set its storage to index")
        return self._array(f"{split}_paths.npy")

    def labels(self, split: str) -> np.ndarray | None:
        """int64 [N, T], column t for the t-th target; None where there are no labels."""
        self._require(split)
        file = f"{split}_labels.npy"
        return np.array(self._array(file)) if file in self.manifest["files"] else None

    @cached_property
    def val_indices(self) -> np.ndarray:
        """int64, ascending: positions in train that form the validation split."""
        return np.array(self._array("val_indices.npy"))

    def annotations(self, split: str) -> dict[str, Any]:
        """COCO instances of a detection data set; `images_root` is there if the images stay in place."""
        self._require(split)
        file = f"{split}_annotations.json"
        if file not in self.manifest["files"]:
            raise MastError(f"{self.path}: {self.name!r} has no annotations; a detection data set is needed here")
        self._verify(file)
        return read_json(self.path / file)

    def verify(self) -> None:
        """Compare the content of every file, and of images that stay in place, with its recorded hash.

        Raises:
            MastError: a file has changed since it was prepared.
        """
        for file in self.changed_files():
            raise MastError(f"{file}: has changed since it was prepared; {self._remedy}")

    def changed_files(self) -> Iterator[Path]:
        """Every file, also of images that stay in place, that is not as recorded.

        Of an index only the sizes of its images are compared; hashing them would read every byte.
        """
        for file, recorded in self.manifest["files"].items():
            if _differs(self.path / file, recorded):
                yield self.path / file
            elif file.endswith("_annotations.json"):
                yield from _changed_in_place(read_json(self.path / file))
            elif file.endswith("_paths.npy"):
                yield from self._changed_in_index(file.removesuffix("_paths.npy"))

    def _changed_in_index(self, split: str) -> Iterator[Path]:
        root = Path(self.manifest["index"]["root"])
        paths, sizes = self._array(f"{split}_paths.npy"), self._array(f"{split}_sizes.npy")
        for path, (_, _, size) in zip(paths, sizes, strict=True):
            file = root / os.fsdecode(path)
            if not file.is_file() or file.stat().st_size != size:
                yield file

    @property
    def _remedy(self) -> str:
        again = f"snakemake --profile profiles/default {self.path / _MANIFEST}"
        return f"delete {self.path} and prepare the data again: {again}"

    def _read_manifest(self) -> dict[str, Any]:
        file = self.path / _MANIFEST
        if not file.is_file():
            raise MastError(f"{self.path}: not a prepared data set (no {_MANIFEST}); run `mast prepare` first")
        manifest = read_json(file)
        absent = [key for key in _KEYS if not isinstance(manifest, dict) or key not in manifest]
        if absent:
            raise MastError(f"{file}: damaged (no {absent[0]!r}); {self._remedy}")
        if manifest["format"] != FORMAT:
            raise MastError(f"{file}: format {manifest['format']!r}, this version reads {FORMAT}; {self._remedy}")
        if manifest["sha256"] != sha256_json(manifest["files"]):
            raise MastError(f"{file}: damaged ('sha256' is not that of 'files'); {self._remedy}")
        return manifest

    def _check_split(self, split: str, count: int) -> None:
        shapes = {"images": (None, None, 3), "labels": (len(self.targets),), "paths": (), "sizes": (3,)}
        for kind, of_one in shapes.items():
            expected = (count, *of_one)
            file = f"{split}_{kind}.npy"
            if file not in self.manifest["files"]:
                continue
            shape = self._map(file).shape
            fits = len(shape) == len(expected) and all(
                want in (None, have) for have, want in zip(shape, expected, strict=True)
            )
            if not fits:
                raise MastError(f"{self.path / file}: shape {shape} does not fit {_MANIFEST}; {self._remedy}")

    def _require(self, split: str) -> None:
        if not self.has(split):
            raise MastError(f"{self.path}: {self.name!r} has no split {split!r}; it has {', '.join(self.splits)}")

    def _array(self, file: str) -> np.ndarray:
        if file not in self.manifest["files"]:
            raise MastError(f"{self.path}: {self.name!r} has no {file}; its images or labels are of another kind")
        self._verify(file)
        return self._map(file)

    def _verify(self, file: str) -> None:
        if file not in self._verified and _differs(self.path / file, self.manifest["files"][file]):
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
    """Open a prepared data set.

    Raises:
        MastError: it is incomplete or damaged.
    """
    return PreparedData(path)


class Writer:
    """Writes a prepared data set, all of it or nothing: a context manager.

    Files are collected in a folder of their own. `finish` removes the old manifest, if there is one, moves the files
    into place and writes the new manifest last, so that a manifest never describes other files. If the block fails,
    what was there before is untouched.
    """

    def __init__(self, path: Path) -> None:
        """Begin, in a new directory or over an old data set."""
        self.path = Path(path)
        self._partial = self.path / ".partial"
        self._files: dict[str, str] = {}
        self._splits: dict[str, dict[str, int]] = {}

    def __enter__(self) -> Self:
        """Make the folder in which files are collected."""
        try:
            shutil.rmtree(self._partial, ignore_errors=True)
            self._partial.mkdir(parents=True)
        except OSError as error:
            raise MastError(f"{self.path}: cannot be written ({error.strerror})") from None
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what was collected and not finished."""
        shutil.rmtree(self._partial, ignore_errors=True)

    def array(self, file: str, values: np.ndarray) -> None:
        """Write one `.npy` file."""
        with atomic_path(self._partial / file) as temporary:
            np.save(temporary, np.ascontiguousarray(values))
        self._files[file] = sha256_file(self._partial / file)

    def stream(self, file: str, rows: Iterable[np.ndarray], shape: tuple[int, ...]) -> int:
        """Write one uint8 `.npy` file row by row, each of the given shape; return the number of rows."""
        count = 0
        with atomic_path(self._partial / file) as temporary, temporary.open("wb") as array:
            _write_header(array, (0, *shape))
            for row in rows:
                array.write(np.ascontiguousarray(row, np.uint8).tobytes())
                count += 1
            array.seek(0)
            _write_header(array, (count, *shape))
        self._files[file] = sha256_file(self._partial / file)
        return count

    def load(self, file: str) -> np.ndarray:
        """Map an array that was written before."""
        return np.load(self._partial / file, mmap_mode="r")

    def split(self, split: str, images: np.ndarray, labels: np.ndarray | None, skipped: int = 0) -> None:
        """Write the images, uint8 [N, H, W, 3], and labels, int64 [N, T], of one split."""
        self.array(f"{split}_images.npy", images)
        if labels is not None:
            self.array(f"{split}_labels.npy", labels)
        self.count(split, len(images), skipped)

    def annotations(self, split: str, coco: dict[str, Any]) -> None:
        """Write the COCO instances of one split."""
        file = f"{split}_annotations.json"
        write_json(self._partial / file, coco)
        self._files[file] = sha256_file(self._partial / file)

    def count(self, split: str, count: int, skipped: int = 0, **others: int) -> None:
        """Record how many images a split holds, how many unreadable ones were left out, and other counts."""
        self._splits[split] = {"count": count, "skipped": skipped, **others}

    def finish(
        self,
        name: str,
        spec: dict[str, Any],
        source: str,
        licence: str,
        targets: dict[str, list[str]],
        mean: list[float],
        std: list[float],
        index: dict[str, str | int] | None = None,
    ) -> None:
        """Put the files into place, remove those of an older data set, and write the manifest.

        `index` holds `root` and `size` where the images stay in place.
        """
        (self.path / _MANIFEST).unlink(missing_ok=True)
        for old in (*self.path.glob("*.npy"), *self.path.glob("*_annotations.json")):
            old.unlink()
        for file in self._files:
            (self._partial / file).replace(self.path / file)
        manifest = {
            "format": FORMAT,
            "name": name,
            "spec": spec,
            "source": source,
            "licence": licence,
            "targets": targets,
            "splits": self._splits,
            "mean": mean,
            "std": std,
            "files": self._files,
            "sha256": sha256_json(self._files),
        }
        write_sealed_json(self.path / _MANIFEST, manifest if index is None else {**manifest, "index": index})


def _write_header(array: BinaryIO, shape: tuple[int, ...]) -> None:
    """numpy pads the header so that it has the same length for any number of rows."""
    np.lib.format.write_array_header_1_0(array, {"descr": "|u1", "fortran_order": False, "shape": shape})


def channel_statistics(images: Images) -> tuple[list[float], list[float]]:
    """Mean and standard deviation over all pixels of uint8 images [N, H, W, 3], per channel, on the [0, 1] scale."""
    histograms = np.zeros((3, 256), np.int64)
    for start in range(0, len(images), 1024):
        chunk = images[start : start + 1024]
        histograms += [np.bincount(chunk[..., channel].ravel(), minlength=256) for channel in range(3)]
    return histogram_statistics(histograms)


def histogram_statistics(histograms: np.ndarray) -> tuple[list[float], list[float]]:
    """The same from histograms int [3, 256] of the levels 0…255: exact, whatever the order of the images."""
    levels, pixels = np.arange(256) / 255, histograms.sum(1)
    mean = histograms @ levels / pixels
    variance = (histograms * (levels - mean[:, None]) ** 2).sum(1) / pixels
    return mean.round(6).tolist(), np.sqrt(variance).round(6).tolist()
