"""A detector in several processes, each with a share of a batch, with the result of one process and the whole batch.

In torchvision's detectors, apart from batch normalisation (`World.prepare`), these depend on the other images of a
batch: the size to which images are padded, the scale of features that is derived from it, the state of the global
generator, and the number of regions over which a loss is averaged. `Shares` handles each of them. The generator has the
same state in all processes after every step, too.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import MultiScaleRoIAlign

from mast.distributed import World

PROPOSALS = ("loss_objectness", "loss_rpn_box_reg")
"""Losses of torchvision's region proposals: means over the sampled anchors of a batch (models/detection/rpn.py). With
another `compute_loss`, such as detectron2's, they are means over images.
"""

HEADS = ("loss_classifier", "loss_box_reg")
"""Losses of torchvision's box head: means over the sampled regions (models/detection/roi_heads.py)."""

MASKS = ("loss_mask",)
"""Loss of torchvision's mask head: a mean over the sampled regions that contain an object (same file)."""


class Shares:
    """Make a detector pad, draw and weight as if its process had all images of the batch."""

    def __init__(self, detector: nn.Module, world: World, own: int) -> None:
        """Change `detector`, which has `own` images of each batch in training; other processes have as many."""
        self._world, self._own = world, own
        self._detector = detector
        self._sizes: list[int] = []
        self._shape: list[int] = []
        transform = detector.transform
        self._draw_size, self._largest = transform.torch_choice, transform.max_by_axis
        transform.torch_choice, transform.max_by_axis = self._choice, self._max_by_axis
        for module in detector.modules():
            if isinstance(module, MultiScaleRoIAlign):
                module.register_forward_pre_hook(self._with_largest)
        self._anchors = detector.rpn.fg_bg_sampler = SharedSampler(detector.rpn.fg_bg_sampler, world)
        self._regions = detector.roi_heads.fg_bg_sampler = SharedSampler(detector.roi_heads.fg_bg_sampler, world)

    def loss(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return this process's part of the loss of the whole batch; the sum over processes is that loss.

        Args:
            losses: losses of its images, by torchvision's names; other losses are treated as means over images.
        """
        weights = dict.fromkeys(HEADS, self._regions.weight) | dict.fromkeys(MASKS, self._regions.weight_of_positives)
        if type(self._detector.rpn).compute_loss is RegionProposalNetwork.compute_loss:
            weights |= dict.fromkeys(PROPOSALS, self._anchors.weight)
        equal = 1 / self._world.size
        return torch.stack([weights.get(name, equal) * value for name, value in losses.items()]).sum()

    def _choice(self, sizes: list[int]) -> int:
        """Return a size for the next image; the sizes of all images are drawn for every batch."""
        if not self._sizes:
            drawn = [self._draw_size(sizes) for _ in range(self._own * self._world.size)]
            self._sizes = drawn[self._world.rows(self._own)]
        return self._sizes.pop(0)

    def _max_by_axis(self, shapes: list[list[int]]) -> list[int]:
        """Return the largest height and width of images [3, H, W], in training over those of all processes."""
        own = self._largest(shapes)
        if self._detector.training:
            self._shape = self._largest(self._world.everyones(own))
            return list(self._shape)
        return own

    def _with_largest(self, _module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        """Add the largest shape to features, boxes and shapes, from which torchvision derives the scale of the
        features.
        """
        *others, shapes = given
        return (*others, [*shapes, tuple(self._shape[1:])]) if self._detector.training else given


class SharedSampler:
    """torchvision's sampler of anchors or regions, which draws for the images of all processes, in order of ranks."""

    def __init__(self, sampler: BalancedPositiveNegativeSampler, world: World) -> None:
        """Sample as `sampler` does."""
        self._sampler, self._world = sampler, world
        self.batch_size_per_image, self.positive_fraction = sampler.batch_size_per_image, sampler.positive_fraction
        self.weight = self.weight_of_positives = 0.0
        """This process's share of what was sampled last in all processes, and of the positives among it."""

    def __call__(self, matched: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return masks of the positives and negatives that are sampled of each image, uint8 [n] each."""
        found = torch.stack([torch.stack([(own >= 1).sum(), (own == 0).sum()]) for own in matched])
        everyones: list[list[list[int]]] = self._world.everyones(found.tolist())
        self._weigh(everyones)
        sampled = None
        for rank, counts in enumerate(everyones):
            if rank == self._world.rank:
                sampled = self._sampler(matched)
                continue
            for positives, negatives in counts:
                torch.randperm(positives, device=matched[0].device)
                torch.randperm(negatives, device=matched[0].device)
        return sampled

    def _weigh(self, everyones: list[list[list[int]]]) -> None:
        most = int(self.batch_size_per_image * self.positive_fraction)
        positives = [[min(count, most) for count, _ in counts] for counts in everyones]
        every = [
            sum(few + min(others, self.batch_size_per_image - few) for few, (_, others) in zip(*each, strict=True))
            for each in zip(positives, everyones, strict=True)
        ]
        rank = self._world.rank
        self.weight = every[rank] / max(1, sum(every))
        self.weight_of_positives = sum(positives[rank]) / max(1, sum(map(sum, positives)))
