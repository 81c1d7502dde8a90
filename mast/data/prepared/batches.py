"""Deterministic training batches: which images form step s of epoch e depends on (seed, e, s) alone."""

import math
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from mast.data.prepared.subset import Images
from mast.errors import MastError


class TrainingBatches:
    """Shuffled batches of images, held in memory, mapped, or decoded.

    The last short batch of an epoch is dropped, or kept. Kept, it is filled up with the first images of the epoch to a
    multiple of the parts in which a batch is computed (as torch's DistributedSampler does it), at least two for each.

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
            images: see above.
            labels: see above.
            batch_size: images in a batch, a multiple of `parts`.
            seed: of the order.
            keep_last: keep the last short batch of an epoch.
            parts: in which a batch is computed, over all processes.
            pin_memory: put each batch into page-locked memory, for asynchronous copies to a GPU, while the one
                before it is used.
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
        """Positions of a batch's images, int64 [size]; in whole batches each occurs at most once in an epoch.

        Raises:
            IndexError: `step` is not in 0 … steps_per_epoch − 1.
        """
        if not 0 <= step < self.steps_per_epoch:
            raise IndexError(f"step {step} of {self.steps_per_epoch}")
        if epoch != self._epoch:
            self._order = np.random.default_rng([self._seed, epoch]).permutation(len(self._images))
            self._epoch = epoch
        rows = self._order[step * self._batch_size : (step + 1) * self._batch_size]
        return np.concatenate([rows, self._order[: self.size(step) - len(rows)]])

    def batch(self, epoch: int, step: int, share: slice = slice(None)) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Images uint8 [size, 3, H, W] in channels_last memory, and labels int64 [size, …] or None.

        `share` takes a part of the batch.
        """
        rows = self.indices(epoch, step)[share]
        images = self._read(epoch, step, share, rows).permute(0, 3, 1, 2)
        return images, None if self._labels is None else self._tensor(self._labels[rows])

    def _read(self, epoch: int, step: int, share: slice, rows: np.ndarray) -> torch.Tensor:
        """The images of a batch; where reading takes time, the same share of the next step is begun meanwhile."""
        if self._ahead is None:
            return self._pixels(rows)
        begun = self._pending.pop((epoch, step, share.start, share.stop), None)
        images = self._pixels(rows) if begun is None else begun.result()
        following = (epoch, step + 1) if step + 1 < self.steps_per_epoch else (epoch + 1, 0)
        if share == slice(None) or self.size(following[1]) == self.size(step):  # of another size, the share is another
            next_rows = self.indices(*following)[share]
            self._pending[*following, share.start, share.stop] = self._ahead.submit(self._pixels, next_rows)
        return images

    def _pixels(self, rows: np.ndarray) -> torch.Tensor:
        """uint8 [B, H, W, 3]."""
        return self._tensor(self._images[rows])

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(values))
        return tensor.pin_memory() if self._pin_memory else tensor
