"""Write prepared data: uint8 arrays and a manifest in one directory (docs/use/formats.md, *Prepared data*)."""

import logging
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np

from mast.data.prepared.notes import lines, names_below
from mast.data.prepared.subset import Images
from mast.errors import MastError
from mast.files import atomic_path, sha256_file, sha256_json, write_json
from mast.records import Index, Manifest
from mast.results import DataFiles

log = logging.getLogger(__name__)

BOX_TARGET = "box"
"""Target of a detection dataset. Its classes are the categories 1…C of the annotations, in order."""


class Writer:
    """Context manager that writes a whole prepared dataset or nothing.

    Files are collected in a separate folder. `finish` removes the old manifest, if there is one, moves the files into
    place and writes the new manifest last, so that a manifest never describes other files. If the block fails, the old
    dataset is untouched.
    """

    def __init__(self, path: Path) -> None:
        """Prepare to write, into a new directory or over an old dataset."""
        self.path = Path(path)
        self._partial = self.path / ".partial"
        self._files: dict[str, str] = {}
        self._splits: dict[str, dict[str, int]] = {}
        self._objects: dict[str, dict[str, int]] = {}
        self._noted: dict[str, dict[str, int]] = {}
        self._named: dict[str, dict[str, list[str]]] = {}

    def __enter__(self) -> Self:
        """Create the folder in which files are collected."""
        try:
            shutil.rmtree(self._partial, ignore_errors=True)
            self._partial.mkdir(parents=True)
        except OSError as error:
            raise MastError(f"{self.path}: cannot be written ({error.strerror})") from None
        return self

    def __exit__(self, *_: object) -> None:
        """Remove files that were collected but not finished."""
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
        """Memory-map an array that was written before."""
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
        self._objects[split] = _count_objects(coco["annotations"])
        self._files[file] = sha256_file(self._partial / file)

    def count(self, split: str, count: int, skipped: int = 0, **others: int) -> None:
        """Record how many images a split has, how many unreadable ones were left out, and other counts."""
        self._splits[split] = {"count": count, "skipped": skipped, **others}

    def note(self, split: str, key: str, files: Sequence[Path], root: Path | str) -> None:
        """Count files of a split under a key of NOTES, and name them relative to `root`; nothing if there are none."""
        if files:
            self._noted.setdefault(split, {})[key] = len(files)
            self._named.setdefault(split, {})[key] = names_below(root, files)

    def finish(
        self,
        name: str,
        spec: dict[str, Any],
        source: str,
        licence: str,
        targets: dict[str, list[str]],
        mean: list[float],
        std: list[float],
        index: Index | None = None,
    ) -> None:
        """Put the files into place, remove those of an older dataset, and write the manifest.

        `index` describes images that stay in place.
        """
        for split, noted in self._noted.items():
            self._splits[split] |= noted
        for line in lines(name, self._splits, self._named):
            log.warning(line)
        manifest = DataFiles(self.path).manifest
        manifest.unlink(missing_ok=True)
        for old in (*self.path.glob("*.npy"), *self.path.glob("*_annotations.json")):
            old.unlink()
        for file in self._files:
            (self._partial / file).replace(self.path / file)
        Manifest(
            format=1,
            name=name,
            spec=spec,
            source=source,
            licence=licence,
            targets=targets,
            splits=self._splits,
            objects=self._objects,
            named=self._named,
            mean=mean,
            std=std,
            files=self._files,
            sha256=sha256_json(self._files),
            index=index,
        ).write(manifest)


def _count_objects(annotations: list[dict[str, Any]]) -> dict[str, int]:
    """Return the number of images with an object to learn from, and of objects without a mask."""
    learned = (entry for entry in annotations if not entry["iscrowd"] or entry.get("difficult"))
    images = {entry["image_id"] for entry in learned}
    return {"annotated": len(images), "unmasked": sum("segmentation" not in entry for entry in annotations)}


def _write_header(array: BinaryIO, shape: tuple[int, ...]) -> None:
    """Write the header of a `.npy` file. numpy pads it so that it has the same length for any number of rows."""
    np.lib.format.write_array_header_1_0(array, {"descr": "|u1", "fortran_order": False, "shape": shape})


def channel_statistics(images: Images) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation over all pixels of uint8 images [N, H, W, 3], per channel, on the [0, 1]
    scale.
    """
    histograms = np.zeros((3, 256), np.int64)
    for start in range(0, len(images), 1024):
        chunk = images[start : start + 1024]
        histograms += [np.bincount(chunk[..., channel].ravel(), minlength=256) for channel in range(3)]
    return histogram_statistics(histograms)


def histogram_statistics(histograms: np.ndarray) -> tuple[list[float], list[float]]:
    """Return the same from histograms int [3, 256] of the levels 0…255: exact, whatever the order of the images."""
    levels, pixels = np.arange(256) / 255, histograms.sum(1)
    mean = histograms @ levels / pixels
    variance = (histograms * (levels - mean[:, None]) ** 2).sum(1) / pixels
    return mean.round(6).tolist(), np.sqrt(variance).round(6).tolist()
