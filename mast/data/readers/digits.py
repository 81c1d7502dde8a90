"""`digits`: 1,797 real handwritten digits of 8×8 pixels, included in scikit-learn."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from mast.data.known_labels import KnownLabels
from mast.data.prepared.splits import stratified_split
from mast.data.prepared.writer import Writer, channel_statistics
from mast.data.settings import HeldOut

SOURCE = "UCI ML hand-written digits (E. Alpaydin, C. Kaynak), as shipped in scikit-learn"
LICENCE = "CC BY 4.0 (https://archive.ics.uci.edu/dataset/80)"

COUNTS = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)
"""Number of images of each digit in scikit-learn's set."""

_LEVELS = 16


class DigitsData(HeldOut):
    """1,797 real handwritten digits (8×8, grayscale) that are included in scikit-learn."""

    kind: Literal["digits"]
    size: Annotated[int, Field(ge=8, le=256)] = 32
    """Side to which the 8×8 images are enlarged (bicubic), pixels."""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Share of the images that becomes the test split, drawn with `split_seed`, stratified."""

    def prepare(self, name: str, output: Path, threads: int) -> None:
        """Enlarge the digits, split them into train and test by class, and write the prepared form."""
        from sklearn.datasets import load_digits  # takes a second to import

        bunch = load_digits()
        images = np.stack([enlarge(image, self.size) for image in bunch.images])
        labels = bunch.target.astype(np.int64)[:, None]
        train, test = stratified_split(labels[:, 0], self.test_fraction, self.split_seed)
        targets = {"digit": [str(digit) for digit in bunch.target_names]}
        validation = stratified_split(labels[train, 0], self.validation_fraction, self.split_seed)[1]
        with Writer(output) as writer:
            writer.split("train", images[train], labels[train])
            writer.split("test", images[test], labels[test])
            writer.array("val_indices.npy", validation)
            statistics = channel_statistics(images[train])
            writer.finish(name, self.model_dump(mode="json"), SOURCE, LICENCE, targets, *statistics)

    @property
    def train_count(self) -> int:
        """Number of training images, which follows from the number of images of each digit."""
        return len(self.known_labels.train)

    @cached_property
    def known_labels(self) -> KnownLabels:
        """Labels with the number of images of each class as prepared, in another order."""
        labels = np.repeat(np.arange(len(COUNTS)), COUNTS)
        train, test = stratified_split(labels, self.test_fraction, self.split_seed)
        return self.labels_of_one_target("digit", len(COUNTS), labels[train], labels[test])

    @property
    def prepared_bytes(self) -> int:
        """Size of the prepared images, bytes; all images have one size."""
        return sum(COUNTS) * self.size**2 * 3


def enlarge(image: np.ndarray, size: int) -> np.ndarray:
    """Enlarge grey levels [8, 8] in 0…16 to uint8 [size, size, 3], bicubic."""
    grey = Image.fromarray(np.rint(image * (255 / _LEVELS)).astype(np.uint8))
    return np.asarray(grey.resize((size, size), Image.Resampling.BICUBIC).convert("RGB"))
