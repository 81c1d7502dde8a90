"""Deterministic training batches. The images of step s of epoch e depend only on (seed, e, s)."""

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from mast.data.crops import CropBoxes
from mast.data.prepared.subset import Images, in_place
from mast.errors import MastError

Crops = Callable[[int, int, slice], CropBoxes]
"""Function from epoch, step and share of a batch to the boxes to cut from its images."""


class TrainingBatches:
    """Shuffled batches of images that are held in memory, memory-mapped, or decoded.

    The last short batch of an epoch is dropped or kept. If kept, it is filled up with the first images of the epoch to
    a multiple of the parts in which a batch is computed, as torch's DistributedSampler does, with at least two images
    for each part.

    Raises:
        MastError: there are fewer images than one batch needs.
    """

    def __init__(
        self,
        images: Images,
        labels: np.ndarray | None,
        batch_size: int,
        seed: int,
        keep_last: bool = False,
        parts: int = 1,
        pin_memory: bool = False,
    ) -> None:
        """Serve batches of `images`, uint8 [M, H, W, 3], and of `labels`, int64 [M, …], if there are any.

        Args:
            images: the images.
            labels: the labels, or None.
            batch_size: number of images in a batch, a multiple of `parts`.
            seed: seed of the order.
            keep_last: whether to keep the last short batch of an epoch.
            parts: number of parts in which a batch is computed, over all processes.
            pin_memory: whether to put each batch into page-locked memory, for asynchronous copies to a GPU, while the
                previous batch is used.
        """
        if len(images) < batch_size:
            raise MastError(
                f"batch_size: {batch_size} is more than the {len(images)} training images; "
                f"set batch_size to {len(images)} or less, or give more images"
            )
        self._images, self._labels = images, labels
        self._batch_size, self._seed, self._pin_memory = batch_size, seed, pin_memory
        self._keep_last, self._parts = keep_last, parts
        self._epoch, self._order = -1, np.empty(0, np.int64)
        at_hand = isinstance(images, np.ndarray) and not pin_memory
        self._ahead = None if at_hand else ThreadPoolExecutor(1, "prefetch")
        self._pending: dict[tuple[int, int, int | None, int | None], Future[torch.Tensor]] = {}

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch."""
        batches = len(self._images) / self._batch_size
        return math.ceil(batches) if self._keep_last else math.floor(batches)

    def size(self, step: int) -> int:
        """Number of images in a batch of each epoch."""
        left = len(self._images) - step * self._batch_size
        if left >= self._batch_size:
            return self._batch_size
        return self._parts * max(2, math.ceil(left / self._parts))

    def indices(self, epoch: int, step: int) -> np.ndarray:
        """Return the positions of a batch's images, int64 [size]; in whole batches each occurs at most once in an
        epoch.

        Raises:
            IndexError: `step` is not in 0 … steps_per_epoch − 1.
        """
        if not 0 <= step < self.steps_per_epoch:
            raise IndexError(f"step {step} of {self.steps_per_epoch}")
        if epoch != self._epoch:
            self._order = np.random.default_rng([self._seed, epoch]).permutation(len(self._images))
            self._epoch = epoch
        rows = self._order[step * self._batch_size : (step + 1) * self._batch_size]
        return np.concatenate(
            [rows, np.resize(self._order, self.size(step) - len(rows))]
        )  # repeated, if there are too few

    @property
    def in_place(self) -> bool:
        """Whether the images stay in place, so that crops can be cut from their original size."""
        return in_place(self._images)

    def sizes(self, epoch: int, step: int) -> torch.Tensor:
        """Return width and height of a batch's images, pixels, int64 [size, 2]; only if images stay in place."""
        return torch.from_numpy(self._images.sizes(self.indices(epoch, step)))

    def batch(
        self, epoch: int, step: int, share: slice = slice(None), crops: Crops | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return images uint8 [size, 3, H, W] in channels_last memory, and labels int64 [size, …] or None.

        Args:
            epoch: number of the epoch, from 0.
            step: number of the step in the epoch.
            share: a part of the batch.
            crops: boxes to cut from each image for V views, for images that stay in place; the images are then [V,
                size, 3, H, W]. It is also called for the next step.
        """
        rows = self.indices(epoch, step)[share]
        images = self._read(epoch, step, share, rows, crops).movedim(-1, -3)
        return images, None if self._labels is None else self._tensor(self._labels[rows])

    def _read(self, epoch: int, step: int, share: slice, rows: np.ndarray, crops: Crops | None) -> torch.Tensor:
        """Return the images of a batch. If reading takes time, the same share of the next step is started in the
        background.
        """
        if self._ahead is None:
            return self._pixels(rows)

        def wanted(epoch: int, step: int) -> CropBoxes | None:
            return None if crops is None else crops(epoch, step, share)

        begun = self._pending.pop((epoch, step, share.start, share.stop), None)
        images = self._pixels(rows, wanted(epoch, step)) if begun is None else begun.result()
        following = (epoch, step + 1) if step + 1 < self.steps_per_epoch else (epoch + 1, 0)
        if share == slice(None) or self.size(following[1]) == self.size(step):  # if its size differs, the share differs
            next_rows = self.indices(*following)[share]
            begun = self._ahead.submit(self._pixels, next_rows, wanted(*following))
            self._pending[*following, share.start, share.stop] = begun
        return images

    def _pixels(self, rows: np.ndarray, wanted: CropBoxes | None = None) -> torch.Tensor:
        """Return uint8 [B, H, W, 3], or with crops [V, B, H, W, 3]."""
        return self._tensor(self._images[rows] if wanted is None else self._images.crops(rows, wanted))

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(values))
        return tensor.pin_memory() if self._pin_memory else tensor
