"""Augmentation of the training images of each step, drawn ahead when files have to be cropped."""

import torch
from torch import Tensor

from mast.augment.policy import Params, Policy
from mast.augment.views import Drawn, View
from mast.data.crops import CropBoxes, Interpolation
from mast.data.prepared.batches import Crops, TrainingBatches


class Drawing:
    """One view of each image of a run's batches, with parameters drawn by one generator in the order of the steps.

    Images that stay in place are cropped from their original size during the previous step.
    """

    def __init__(self, policy: Policy, batches: TrainingBatches, seed: int, interpolation: Interpolation) -> None:
        """Prepare; nothing is drawn yet.

        Args:
            policy: policy for images of the prepared size, with crop.
            batches: batches whose images are augmented.
            seed: seed of the generator.
            interpolation: interpolation of crops that are cut from files.
        """
        self._policy, self._batches, self._interpolation = policy, batches, interpolation
        self._generator = torch.Generator().manual_seed(seed)
        self._drawn: dict[int, tuple[Tensor, Params]] = {}

    @property
    def crops(self) -> Crops | None:
        """Boxes to cut from the files of a batch, for `TrainingBatches.batch`; None if images are one array."""
        return self._crops if self._batches.in_place else None

    def view(self, step: int, images: Tensor, rows: slice = slice(None)) -> Tensor:
        """Return the augmented images of a step, once: float32 [B, 3, S, S] in [0, 1].

        Args:
            step: the next step that was not requested yet.
            images: images that the batches returned for `crops`.
            rows: rows of the batch that the images are.
        """
        params = self._of(step)
        del self._drawn[step]
        cropped = images.dim() == 5
        return View(images[0] if cropped else images, params, cropped).augmented(self._policy, rows)

    def state(self) -> Tensor:
        """Return the generator's state before the next step."""
        return self._drawn[min(self._drawn)][0] if self._drawn else self._generator.get_state()

    def load(self, state: Tensor) -> None:
        """Restore what `state` returned."""
        self._drawn.clear()
        self._generator.set_state(state)

    def _of(self, step: int) -> Params:
        if step not in self._drawn:
            epoch, within = divmod(step, self._batches.steps_per_epoch)
            policy = self._policy
            if self._batches.in_place:
                policy = policy.in_place(self._batches.sizes(epoch, within))
            before = self._generator.get_state()
            self._drawn[step] = before, policy.sample(self._batches.size(within), 0, self._generator)
        return self._drawn[step][1]

    def _crops(self, epoch: int, within: int, share: slice) -> CropBoxes:
        params = self._of(epoch * self._batches.steps_per_epoch + within)
        return CropBoxes(Drawn((params,)).boxes(share), self._interpolation)
