"""A selection of the images of an array or an index, without reading them."""

from typing import TypeGuard

import numpy as np

from mast.data.crops import CropBoxes
from mast.data.prepared.index import IndexedImages


class Subset:
    """Images at chosen positions, which behave like one uint8 array [M, H, W, 3]; rows are read on access."""

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, images: "Images", positions: np.ndarray) -> None:
        """Serve `images` at `positions`, int64 [M], in that order."""
        self._images, self._positions = images, positions

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(M, H, W, 3)."""
        return len(self), *self._images.shape[1:]

    def __len__(self) -> int:
        """Number of images."""
        return len(self._positions)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Read the images in a slice, or at positions int [B] of the subset: uint8 [B, H, W, 3]."""
        return self._images[self._positions[rows]]

    @property
    def in_place(self) -> bool:
        """Whether the images stay in place; only then `sizes` and `crops` can be called."""
        return in_place(self._images)

    def sizes(self, rows: np.ndarray) -> np.ndarray:
        """Return sizes as IndexedImages does."""
        return self._images.sizes(self._positions[rows])

    def crops(self, rows: np.ndarray, wanted: CropBoxes) -> np.ndarray:
        """Return crops as IndexedImages does."""
        return self._images.crops(self._positions[rows], wanted)


Images = np.ndarray | IndexedImages | Subset
"""Images in memory, memory-mapped, or decoded on access: uint8 [N, H, W, 3]."""


def in_place(images: Images) -> TypeGuard[IndexedImages | Subset]:
    """Return whether images are decoded from files, and so can be cropped from their original size."""
    return isinstance(images, IndexedImages) or (isinstance(images, Subset) and images.in_place)
