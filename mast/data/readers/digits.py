"""`digits`: 1,797 real handwritten digits of 8×8 pixels, as they ship inside scikit-learn."""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from mast.config import DigitsData
from mast.data.prepared.splits import stratified_split
from mast.data.prepared.store import Writer, channel_statistics

SOURCE = "UCI ML hand-written digits (E. Alpaydin, C. Kaynak), as shipped in scikit-learn"
LICENCE = "CC BY 4.0 (https://archive.ics.uci.edu/dataset/80)"

_LEVELS = 16


def prepare_digits(name: str, spec: DigitsData, output: Path) -> None:
    """Enlarge the digits to `spec.size`, split them into train and test by class, and write the prepared form."""
    bunch = load_digits()
    images = np.stack([enlarge(image, spec.size) for image in bunch.images])
    labels = bunch.target.astype(np.int64)[:, None]
    train, test = stratified_split(labels[:, 0], spec.test_fraction, spec.split_seed)

    validation = stratified_split(labels[train, 0], spec.validation_fraction, spec.split_seed)[1]
    with Writer(output) as writer:
        writer.split("train", images[train], labels[train])
        writer.split("test", images[test], labels[test])
        writer.array("val_indices.npy", validation)
        writer.finish(
            name,
            spec.model_dump(mode="json"),
            SOURCE,
            LICENCE,
            {"digit": [str(digit) for digit in bunch.target_names]},
            *channel_statistics(images[train]),
        )


def enlarge(image: np.ndarray, size: int) -> np.ndarray:
    """Grey levels [8, 8] in 0…16 → uint8 [size, size, 3], bicubic."""
    grey = Image.fromarray(np.rint(image * (255 / _LEVELS)).astype(np.uint8))
    return np.asarray(grey.resize((size, size), Image.Resampling.BICUBIC).convert("RGB"))
