"""Masks that select each augmentation's subspace: learnable masks of embeddings, fixed masks of features."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mast.models.settings import MaskSpec

BISECTIONS = 40
"""Number of bisection steps for the threshold of the soft top-k, beyond the precision of float32."""


class Masks(nn.Module):
    """M ∈ [0, 1]^{K×d}, one row per augmentation."""

    def __init__(self, augmentations: int, dimensions: int, spec: MaskSpec) -> None:
        """Draw the logits from N(0, init_std²); for `sigmoid` shifted so that each mask starts with the mean `keep`."""
        super().__init__()
        self.spec = spec
        logits = spec.init_std * torch.randn(augmentations, dimensions)
        if spec.kind == "sigmoid":
            logits -= _threshold(logits, spec.keep, spec.temperature)
        self.logits = nn.Parameter(logits, requires_grad=spec.kind != "none")

    def forward(self) -> Tensor:
        """Return the masks, float32 [K, d]."""
        if self.spec.kind == "none":
            return torch.ones_like(self.logits)
        if self.spec.kind == "sigmoid":
            return (self.logits / self.spec.temperature).sigmoid()
        return soft_top_k(self.logits, self.spec.keep, self.spec.temperature)


class FeatureMasks(nn.Module):
    """Fixed masks over an encoder's features: each of some augmentations leaves its own block free.

    The masks are not learned: before training all features are alike, so any block is as good as another.
    """

    masks: Tensor

    def __init__(self, augmentations: Sequence[str], free: Sequence[str], features: int, width: int) -> None:
        """Build masks [K, D] that are 0 in an augmentation's block and 1 elsewhere.

        Args:
            augmentations: names of the K augmentations.
            free: names of the augmentations with a block, in the order of the blocks.
            features: D ≥ `len(free) · width`.
            width: number of features of a block.
        """
        super().__init__()
        self.blocks = {name: slice(place * width, (place + 1) * width) for place, name in enumerate(free)}
        masks = torch.ones(len(augmentations), features)
        for name, block in self.blocks.items():
            masks[list(augmentations).index(name), block] = 0
        self.register_buffer("masks", masks)

    def forward(self, features: Tensor) -> Tensor:
        """Return y ⊙ Π_k m_k: features [N, D] without any block."""
        return features * self.masks.prod(dim=0)

    def free(self, name: str, features: Tensor) -> Tensor:
        """Return the block of features [N, D] that the mask of augmentation `name` leaves free, [N, width]."""
        return features[:, self.blocks[name]]


def soft_top_k(logits: Tensor, keep: float, temperature: float) -> Tensor:
    """Return m = sigmoid((θ − τ)/T), with the threshold τ of each row such that the row's mean is `keep`.

    τ is found by bisection. Its gradient is that of the implicit function, ∂τ/∂θ_j = g_j / Σg with g = m(1 − m). So the
    gradient with respect to θ sums to zero in each row: dimensions compete for the row's budget.

    Args:
        logits: θ, [K, d].
        keep: mean of each row of the result, in (0, 1).
        temperature: T > 0.

    Returns:
        [K, d] in [0, 1].
    """
    fixed = logits.detach()
    with torch.no_grad():
        threshold = _threshold(fixed, keep, temperature)
        selected = ((fixed - threshold) / temperature).sigmoid()
        slope = selected * (1 - selected)
        share = slope / slope.sum(dim=1, keepdim=True).clamp(min=torch.finfo(slope.dtype).tiny)
    implicit = threshold + (share * (logits - fixed)).sum(dim=1, keepdim=True)
    return ((logits - implicit) / temperature).sigmoid()


def _threshold(logits: Tensor, keep: float, temperature: float) -> Tensor:
    """Return τ [K, 1] at which each row of sigmoid((θ − τ)/T) has the mean `keep`, by bisection."""
    margin = temperature * (abs(math.log(keep / (1 - keep))) + 1)
    low = logits.amin(dim=1, keepdim=True) - margin
    high = logits.amax(dim=1, keepdim=True) + margin
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        too_open = ((logits - middle) / temperature).sigmoid().mean(dim=1, keepdim=True) > keep
        low, high = torch.where(too_open, middle, low), torch.where(too_open, high, middle)
    return (low + high) / 2


def mean_cosine(masks: Tensor) -> Tensor:
    """Return the mean cosine of two different rows of masks [K, d], K ≥ 2: a scalar, in [0, 1] for masks in [0, 1]."""
    directions = functional.normalize(masks, dim=1)
    count = len(masks)
    return ((directions @ directions.T).sum() - directions.square().sum()) / (count * (count - 1))
