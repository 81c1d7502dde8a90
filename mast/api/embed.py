"""Features of a folder of images for code of one's own."""

from pathlib import Path
from typing import Literal

import numpy as np

from mast.export.embed import features_below


def embed(
    encoder: str | Path,
    images: str | Path,
    *,
    size: int | None = None,
    device: str = "cpu",
    threads: int = 1,
    unreadable: Literal["stop", "skip"] = "stop",
    levels: Literal["full", "minmax"] | tuple[float, float] = "full",
) -> tuple[np.ndarray, list[str]]:
    """Features of every image below a directory, as `mast embed` writes them.

    An image becomes its central square, resized (bicubic) to `size`. For images that are tensors already, call what
    `mast.load_encoder` returns.

    >>> import mast
    >>> features, files = mast.embed("results/export/shapes/mast/seed0", "photos")  # doctest: +SKIP

    Args:
        encoder: a folder that `mast export` wrote, or `encoder.safetensors` of a run.
        images: directory; images are looked for at any depth.
        size: side of the images, pixels; an exported encoder knows its own.
        device: where the encoder runs.
        threads: for decoding.
        unreadable: what a file does that cannot be decoded.
        levels: of images of more than 8 bits, what becomes 0 and 255: `full`, `minmax` or two numbers.

    Returns:
        Features, float32 [N, D], and the paths of the images below the directory, in the same order.

    Raises:
        mast.errors.MastError: no size is known, there are no images, or one cannot be read.
    """
    return features_below(Path(encoder), Path(images), size, device, threads, unreadable, levels)
