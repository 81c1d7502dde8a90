"""Features of a folder of images, for your own code."""

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
    """Compute the features of every image below a directory, as `mast embed` does.

    The central square of each image is resized (bicubic) to `size`. If your images are tensors already, use
    `mast.load_encoder` instead.

    >>> import mast
    >>> features, files = mast.embed("results/export/shapes/mast/seed0", "photos")  # doctest: +SKIP

    Args:
        encoder: a folder that `mast export` wrote, or `encoder.safetensors` of a run.
        images: directory; images are searched at any depth.
        size: side of the images, pixels; by default the one stored with an exported encoder.
        device: device on which the encoder runs.
        threads: number of threads for decoding.
        unreadable: `stop` or `skip`, for a file that cannot be decoded.
        levels: values that become 0 and 255 in images of more than 8 bits: `full`, `minmax` or two numbers.

    Returns:
        Features, float32 [N, D], and the paths of the images below the directory, in the same order.

    Raises:
        ValueError: the size is below 1.
        mast.errors.MastError: no size is known, there are no images, or one cannot be read.
    """
    if size is not None and size < 1:
        raise ValueError(f"size: {size}; expected 1 or more")
    return features_below(Path(encoder), Path(images), size, device, threads, unreadable, levels)
