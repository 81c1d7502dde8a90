"""Prepared data: uint8 arrays and a manifest in one directory (see docs/design.md, "Prepared data")."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mast.errors import MastError
from mast.files import atomic_path, read_json, sha256_file, sha256_json, write_json

FORMAT = 1
"""Version of the prepared format."""

_MANIFEST = "manifest.json"
_KEYS = ("format", "name", "spec", "source", "licence", "targets", "splits", "mean", "std", "files", "sha256")


class PreparedData:
    """A prepared data set, read from its directory. Arrays are memory-mapped and read-only.

    Raises:
        MastError: the manifest or a file of it is missing or damaged, or an array does not have the recorded shape.
    """

    def __init__(self, path: Path) -> None:
        """Open the directory and compare its files with the manifest, without reading their content."""
        self.path = Path(path)
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

    def images(self, split: str) -> np.memmap:
        """uint8 [N, H, W, 3]."""
        self._require(split)
        return self._array(f"{split}_images.npy")

    def labels(self, split: str) -> np.ndarray | None:
        """int64 [N, T], column t for the t-th target; None where there are no labels."""
        self._require(split)
        return self._array(f"{split}_labels.npy") if f"{split}_labels.npy" in self.manifest["files"] else None

    @cached_property
    def val_indices(self) -> np.ndarray:
        """int64, ascending: positions in train that form the validation split."""
        return self._array("val_indices.npy")

    def annotations(self, split: str) -> dict[str, Any]:
        """COCO instances of a detection data set; `images_root` is there if the images stay in place."""
        self._require(split)
        file = f"{split}_annotations.json"
        if file not in self.manifest["files"]:
            raise MastError(f"{self.path}: {self.name!r} has no annotations; a detection data set is needed here")
        return read_json(self.path / file)

    def verify(self) -> None:
        """Compare the content of every file with its recorded hash.

        Raises:
            MastError: a file has changed since it was prepared.
        """
        for file, recorded in self.manifest["files"].items():
            if sha256_file(self.path / file) != recorded:
                raise MastError(f"{self.path / file}: has changed since it was prepared; {self._remedy}")

    @property
    def _remedy(self) -> str:
        return f"delete {self.path} and prepare the data again"

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
        return manifest

    def _check_split(self, split: str, count: int) -> None:
        for kind, expected in (("images", (count, None, None, 3)), ("labels", (count, len(self.targets)))):
            file = f"{split}_{kind}.npy"
            if file not in self.manifest["files"]:
                continue
            shape = self._array(file).shape
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
        try:
            return np.load(self.path / file, mmap_mode="r")
        except (OSError, ValueError, EOFError):
            raise MastError(f"{self.path / file}: damaged or cut off; {self._remedy}") from None


def open_prepared(path: Path) -> PreparedData:
    """Open a prepared data set.

    Raises:
        MastError: it is incomplete or damaged.
    """
    return PreparedData(path)


class Writer:
    """Writes a prepared data set: first the files, then the manifest that says they are complete.

    An old manifest in the directory is removed before anything else, so that it never describes other files.
    """

    def __init__(self, path: Path) -> None:
        """Begin, in a new directory or over an old data set."""
        self.path = Path(path)
        self._files: dict[str, str] = {}
        self._splits: dict[str, dict[str, int]] = {}
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / _MANIFEST).unlink(missing_ok=True)
        except OSError as error:
            raise MastError(f"{self.path}: cannot be written ({error.strerror})") from None

    def array(self, file: str, values: np.ndarray) -> None:
        """Write one `.npy` file."""
        with atomic_path(self.path / file) as temporary:
            np.save(temporary, np.ascontiguousarray(values))
        self._files[file] = sha256_file(self.path / file)

    def split(self, split: str, images: np.ndarray, labels: np.ndarray | None, skipped: int = 0) -> None:
        """Write the images, uint8 [N, H, W, 3], and labels, int64 [N, T], of one split."""
        self.array(f"{split}_images.npy", images)
        if labels is not None:
            self.array(f"{split}_labels.npy", labels)
        self.count(split, len(images), skipped)

    def annotations(self, split: str, coco: dict[str, Any]) -> None:
        """Write the COCO instances of one split."""
        file = f"{split}_annotations.json"
        write_json(self.path / file, coco)
        self._files[file] = sha256_file(self.path / file)

    def count(self, split: str, count: int, skipped: int = 0) -> None:
        """Record how many images a split holds, and how many unreadable ones were left out."""
        self._splits[split] = {"count": count, "skipped": skipped}

    def finish(
        self,
        name: str,
        spec: dict[str, Any],
        source: str,
        licence: str,
        targets: dict[str, list[str]],
        mean: list[float],
        std: list[float],
    ) -> None:
        """Remove files of an older data set, and write the manifest."""
        for pattern in ("*.npy", "*_annotations.json"):
            for file in self.path.glob(pattern):
                if file.name not in self._files:
                    file.unlink()
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
        write_json(self.path / _MANIFEST, manifest)


def channel_statistics(images: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation over all pixels of uint8 images [N, H, W, 3], per channel, on the [0, 1] scale.

    Computed from exact integer histograms, so that they do not depend on the order of summation.
    """
    histograms = np.zeros((3, 256), np.int64)
    for start in range(0, len(images), 1024):
        chunk = images[start : start + 1024]
        histograms += [np.bincount(chunk[..., channel].ravel(), minlength=256) for channel in range(3)]
    levels = np.arange(256) / 255
    mean = histograms @ levels / histograms.sum(1)
    variance = (histograms * (levels - mean[:, None]) ** 2).sum(1) / histograms.sum(1)
    return mean.round(6).tolist(), np.sqrt(variance).round(6).tolist()
