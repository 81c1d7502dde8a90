"""From a folder of images to a file of features."""

import itertools
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from mast.data.decode import SUFFIXES, UnreadableImageError, decode, map_files, square
from mast.errors import MastError
from mast.evaluation.features import encode
from mast.files import atomic_path, read_json
from mast.models.encoder_file import load_encoder, normalisation
from mast.progress import Progress

FORMATS = (".npz", ".parquet")


def embed(encoder: Path, images: Path, output: Path, size: int | None, device: str = "cpu", threads: int = 1) -> None:
    """Write the features of every image below a directory, in the order of their paths.

    `.npz`: `features` float32 [N, D], `files` str [N], relative to the directory. `.parquet`: the same with columns
    `file`, `f0`, `f1`, …. An image becomes its central square, resized (bicubic) to `size`, as data are prepared.

    Args:
        encoder: a folder that `mast export` wrote, or an `encoder.safetensors`.
        images: directory; images are looked for at any depth.
        output: file to write.
        size: side of the images, pixels; None for an exported encoder's own.
        device: where the encoder runs.
        threads: for decoding.

    Raises:
        MastError: no size is known, there are no images, or one cannot be read; or the suffix of the output is another.
    """
    if output.suffix not in FORMATS:
        raise MastError(f"{output}: the suffix says the format; use {' or '.join(FORMATS)}")
    weights, side = _encoder(encoder, size)
    model, metadata = load_encoder(weights)
    files = sorted(file for file in images.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise MastError(f"{images}: no image in it ({', '.join(sorted(SUFFIXES))})")
    parts = []
    with Progress("embed", len(files)) as progress:
        for batch in _batches(map_files(partial(_square, size=side), files, threads), 256):
            parts += encode(model, np.stack(batch), *normalisation(metadata), device)
            progress.update(len(batch))
    _write(output, [file.relative_to(images).as_posix() for file in files], np.concatenate(parts))


def _encoder(given: Path, size: int | None) -> tuple[Path, int]:
    """The file of the weights, and the side of its images."""
    if given.is_dir():
        return given / "model.safetensors", size or read_json(given / "config.json")["pretrained_cfg"]["input_size"][1]
    if size is None:
        raise MastError(f"--size: required with an encoder file; {given} does not say the side of its images")
    return given, size


def _square(file: Path, size: int) -> np.ndarray:
    try:
        return square(decode(file), size)
    except UnreadableImageError as error:
        raise MastError(f"{error}; repair or remove it") from None


def _batches(rows: Iterator[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    while batch := list(itertools.islice(rows, size)):
        yield batch


def _write(output: Path, files: list[str], features: np.ndarray) -> None:
    with atomic_path(output) as temporary:
        if output.suffix == ".npz":
            np.savez(temporary, features=features, files=np.array(files))
            return
        frame = pd.DataFrame(features, columns=[f"f{column}" for column in range(features.shape[1])])
        frame.insert(0, "file", files)
        try:
            frame.to_parquet(temporary, index=False)
        except ImportError:
            raise MastError(f"{output}: Parquet needs pyarrow (pip install pyarrow); or write .npz") from None
