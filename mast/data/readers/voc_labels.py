"""`voc-labels`: PASCAL VOC's classification task, one target for each class."""

from pathlib import Path

import numpy as np

from mast.config import VocLabelsData
from mast.data.prepared.splits import random_split
from mast.data.prepared.store import Writer
from mast.data.prepared.write_images import index_of, training_statistics, write_images
from mast.errors import MastError

VALUES = ["absent", "present"]
"""The values of every target (docs/design.md, *Prepared data*)."""

_LABELS = {"-1": 0, "0": -1, "1": 1}
"""What the lists write → label; 0 marks images that show the class in objects marked difficult only (ignored)."""


def prepare_voc_labels(name: str, spec: VocLabelsData, output: Path, threads: int = 1) -> None:
    """Write the images and, from `ImageSets/Main/<class>_<set>.txt`, a label for each class.

    Raises:
        MastError: a list or image is missing, a line is not `<image> <-1, 0 or 1>`, or lists of different classes name
            different images.
    """
    with Writer(output) as writer:
        for split, image_sets in (("train", spec.train), ("test", spec.test)):
            files, labels = _read(spec, image_sets)
            kept = write_images(writer, split, files, labels, spec, threads)
            if split == "train":
                held_out = random_split(len(kept), spec.validation_fraction, spec.split_seed)[1]
                writer.array("val_indices.npy", held_out)
        writer.finish(
            name,
            spec.model_dump(mode="json"),
            f"PASCAL VOC layout {spec.root}: {', '.join(spec.train)} and {', '.join(spec.test)}",
            spec.licence,
            dict.fromkeys(spec.classes, VALUES),
            *training_statistics(writer, spec, threads),
            index_of(spec),
        )


def _read(spec: VocLabelsData, image_sets: tuple[str, ...]) -> tuple[list[Path], np.ndarray]:
    """Image files of some image sets, and int64 [N, C]."""
    files: list[Path] = []
    labels: list[np.ndarray] = []
    for image_set in image_sets:
        year, set_name = image_set.split("/")
        folder = Path(spec.root) / f"VOC{year}"
        lists = [_list(folder / f"ImageSets/Main/{name}_{set_name}.txt") for name in spec.classes]
        for name, of_class in zip(spec.classes, lists, strict=True):
            if of_class.keys() != lists[0].keys():
                raise MastError(
                    f"{folder}: {name}_{set_name}.txt and {spec.classes[0]}_{set_name}.txt name different images; "
                    "unpack the data again"
                )
        files += [folder / "JPEGImages" / f"{image}.jpg" for image in lists[0]]
        labels.append(np.array([[of_class[image] for of_class in lists] for image in lists[0]], np.int64))
    for file in files:
        if not file.is_file():
            raise MastError(f"{file}: no such file, though an image set lists it; unpack the data again")
    return files, np.concatenate(labels)


def _list(file: Path) -> dict[str, int]:
    """Image → label, in the order of the file."""
    try:
        lines = [line.split() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise MastError(f"{file}: cannot be read ({error}); root is the directory that holds VOC2007, …") from None
    for number, words in enumerate(lines, 1):
        if len(words) != 2 or words[1] not in _LABELS:
            raise MastError(f"{file}: line {number} is {' '.join(words)!r}, not an image and -1, 0 or 1")
    if not lines:
        raise MastError(f"{file}: lists no image")
    return {image: _LABELS[value] for image, value in lines}
