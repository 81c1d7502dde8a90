"""Splits that hankook/AugSelf publishes as lists of positions (in its folder `splits`, read in datasets.py)."""

from pathlib import Path

import numpy as np

from mast.data.sources.source import Archive

_SPLITS = "https://raw.githubusercontent.com/hankook/AugSelf/c131db66b5ade96af86774bc43a2cb797390bba5/splits"


def split_list(name: str, md5: str) -> Archive:
    """Return the file of one dataset's split, fetched to the folder `augself`; the MD5 is that of the named commit."""
    return Archive(f"{_SPLITS}/{name}.pth", md5, f"augself/{name}.pth")


def published_positions(file: Path, count: int) -> list[np.ndarray] | None:
    """Return the parts of a split, int64, each ascending; None if they do not add up to `count` images (a reduced
    copy).
    """
    import torch

    parts = [np.sort(np.asarray(part, np.int64)) for part in torch.load(file, weights_only=True)]
    fits = np.array_equal(np.sort(np.concatenate(parts)), np.arange(count))
    return parts if fits else None
