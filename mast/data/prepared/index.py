"""Images that stay in place: an index in memory-mapped arrays, with files decoded on demand."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mast.data.crops import CropBoxes, Interpolation, crops
from mast.data.decode import decode_again
from mast.data.transforms import squared
from mast.settings import FULL, PixelRange, Transform


class IndexedImages:
    """Image files that behave like one uint8 array [N, S, S, 3]: `images[rows]` decodes only these rows.

    Each image becomes a square of S pixels in the same way as in prepared arrays (`mast.data.transforms`), or it is
    cropped from its original size (`crops`). Files are decoded and resized outside Python's global lock, so that each
    thread can use a core.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self,
        root: Path,
        paths: np.ndarray,
        size: int,
        threads: int | None = None,
        levels: PixelRange = FULL,
        sizes: np.ndarray | None = None,
        transform: Transform | None = None,
        upright: bool = True,
    ) -> None:
        """Serve `paths`, bytes [N], of files below `root`, with torch's number of threads by default.

        `levels` are the values that become 0 and 255 in images of more than 8 bits. `sizes`, int64 [N, ≥ 2], are width
        and height of each image, needed to draw crops. `transform` defines how a whole image becomes a square, and
        `upright` whether images are turned upright according to EXIF.
        """
        self._root, self._paths, self._size, self._levels = Path(root), paths, size, levels
        self._sizes, self._transform, self._upright = sizes, transform, upright
        if threads is None:
            import torch  # slow to import, and planning a workflow imports this module

            threads = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, S, S, 3)."""
        return len(self), self._size, self._size, 3

    def __len__(self) -> int:
        """Number of images."""
        return len(self._paths)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Decode the images in a slice, or at positions int [B]: uint8 [B, S, S, 3].

        Raises:
            UnreadableImageError: a file is missing or damaged.
        """
        paths = self._paths[rows]
        images = np.empty((len(paths), self._size, self._size, 3), np.uint8)
        for row, image in enumerate(self._pool.map(self._read, paths)):
            images[row] = image
        return images

    def sizes(self, rows: np.ndarray) -> np.ndarray:
        """Return width and height, pixels, of the images at positions int [B], as `prepare` read them, int64 [B, 2]."""
        return np.array(self._sizes[rows][:, :2])

    def crops(self, rows: np.ndarray, wanted: CropBoxes) -> np.ndarray:
        """Return crops of the images at positions int [B], for V views, with each file decoded once: uint8 [V, B, S, S,
        3].

        Raises:
            UnreadableImageError: a file is missing or damaged.
        """
        views = len(wanted.boxes)
        images = np.empty((views, len(rows), self._size, self._size, 3), np.uint8)
        paths = self._paths[rows]

        def cut(row: int) -> None:
            for view, image in enumerate(self._crops(paths[row], wanted.boxes[:, row], wanted.interpolation)):
                images[view, row] = image

        for _ in self._pool.map(cut, range(len(rows))):  # re-raises what a thread raised
            pass
        return images

    def _read(self, path: bytes) -> np.ndarray:
        image = decode_again(self._root / os.fsdecode(path), self._upright, self._levels)
        return squared(image, self._size, self._transform)

    def _crops(self, path: bytes, boxes: np.ndarray, interpolation: Interpolation) -> list[np.ndarray]:
        """Return the crops of one image, from rows as in `CropBoxes`. A view that is not cropped needs its own
        decoding.
        """
        cropped, file = boxes[:, 0] > 0, self._root / os.fsdecode(path)
        cut = iter(())
        if cropped.any():
            reading = interpolation, self._upright, self._levels
            cut = iter(crops(file, boxes[cropped, 1:], self._size, *reading))
        return [next(cut) if own else self._read(path) for own in cropped]
