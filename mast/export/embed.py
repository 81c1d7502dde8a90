"""Write the features of a folder of images to a file."""

import itertools
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from mast.data.decode import SHOWN
from mast.data.prepared.notes import lines, names_below
from mast.data.prepared.write_images import readable, square_of
from mast.data.search import search
from mast.errors import MastError
from mast.evaluation.features import encode
from mast.files import atomic_path, read_json
from mast.models.encoder_file import load_encoder, normalisation
from mast.progress import Progress
from mast.settings import FULL, PixelRange

log = logging.getLogger(__name__)

FORMATS = (".npz", ".parquet")


def embed(
    encoder: Path,
    images: Path,
    output: Path,
    size: int | None,
    device: str = "cpu",
    threads: int = 1,
    unreadable: str = "stop",
    levels: PixelRange = FULL,
) -> None:
    """Write the features of every image below a directory, in the order of their paths.

    `.npz`: `features` float32 [N, D], `files` str [N], relative to the directory. `.parquet`: the same with columns
    `file`, `f0`, `f1`, …. The central square of each image is resized (bicubic) to `size`, as in prepared data with
    the default `exif` and `transparency`: upright, and transparent pixels over white. Images are found as in prepared
    folders (`mast.data.search`); a warning lists files that are left out.

    Args:
        encoder: a folder that `mast export` wrote, or an `encoder.safetensors`.
        images: directory; images are searched at any depth.
        output: file to write.
        size: side of the images, pixels; None for an exported encoder's own.
        device: device on which the encoder runs.
        threads: number of threads for decoding.
        unreadable: `stop` or `skip`, for a file that cannot be decoded.
        levels: values that become 0 and 255 in images of more than 8 bits.

    Raises:
        MastError: no size is known, there are no images, or one cannot be read; or the output has another suffix.
    """
    if output.suffix not in FORMATS:
        raise MastError(f"{output}: the suffix selects the format; use {' or '.join(FORMATS)}")
    features, files = features_below(encoder, images, size, device, threads, unreadable, levels)
    _write(output, files, features)


def features_below(
    encoder: Path, images: Path, size: int | None, device: str, threads: int, unreadable: str, levels: PixelRange
) -> tuple[np.ndarray, list[str]]:
    """Return the features, float32 [N, D], of every image below a directory, and the images' relative paths; see
    `embed`.
    """
    weights, side = _encoder(encoder, size)
    found = search(images, "--images is a directory of images")
    if not found.images:
        raise MastError(f"{images}: no image in it (such as {SHOWN})")
    model, metadata = load_encoder(weights)
    parts, kept, noted = [], [], {"left_out": found.left_out}
    with Progress("embed", len(found.images)) as progress:
        read = partial(square_of, size=side, levels=levels)
        rows = readable(read, found.images, unreadable, threads, noted, progress, "--unreadable skip")
        for batch in _batches(rows, 256):
            parts += encode(model, np.stack([row for _, row in batch]), *normalisation(metadata), device)
            kept += [found.images[position] for position, _ in batch]
    for note, files in noted.items():
        for line in lines(
            "embed", {str(images): {note: len(files)}}, {str(images): {note: names_below(images, files)}}
        ):
            log.warning(line)
    if not kept:
        raise MastError(f"{images}: none of its images can be read")
    return np.concatenate(parts), [file.relative_to(images).as_posix() for file in kept]


def _encoder(given: Path, size: int | None) -> tuple[Path, int]:
    """Return the file of the weights, and the side of its images."""
    if given.is_dir():
        return given / "model.safetensors", size or read_json(given / "config.json")["pretrained_cfg"]["input_size"][1]
    if size is None:
        raise MastError(f"--size: required with an encoder file; {given} does not contain the side of its images")
    return given, size


def _batches(rows: Iterator[tuple[int, np.ndarray]], size: int) -> Iterator[list[tuple[int, np.ndarray]]]:
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
