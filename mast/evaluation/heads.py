"""Parts that VISSL's linear evaluation adds to a frozen encoder: features of few positions, and normalised heads."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mast.errors import MastError
from mast.models.encoder import STAGES

SIDE = 2
"""Side of the grid of positions."""


class GridFeatures(nn.Module):
    """An encoder whose features are those of its last stage at 2 × 2 positions, instead of their mean.

    Each feature is the mean over a window one position smaller than the map, 6 × 6 of ResNet-50's 7 × 7: `res5` in
    facebookresearch/vissl, eval_resnet_8gpu_transfer_places205_linear.yaml.
    """

    def __init__(self, encoder: nn.Module) -> None:
        """Wrap `encoder`, which maps images [B, 3, H, W] to [B, C]."""
        super().__init__()
        self.encoder, self.num_features = encoder, SIDE**2 * encoder.num_features
        self._maps = torch.empty(0)
        getattr(encoder, STAGES[-1]).register_forward_hook(self._keep)

    def forward(self, images: Tensor) -> Tensor:
        """Map images float [B, 3, H, W] to [B, 4·C], with the four positions of each channel side by side.

        Raises:
            MastError: the last stage has fewer than 2 × 2 positions, or is not square.
        """
        self.encoder(images)
        height, width = self._maps.shape[-2:]
        if height != width or height < SIDE:
            raise MastError(
                f"pooling: grid needs {SIDE} × {SIDE} positions or more of the encoder's last stage, which has "
                f"{height} × {width} on these images; choose global, or larger square images"
            )
        return functional.avg_pool2d(self._maps, height - SIDE + 1, stride=1).flatten(1)

    def _keep(self, _stage: nn.Module, _inputs: tuple[Any, ...], maps: Tensor) -> None:
        self._maps = maps


class NormalisedHead(nn.Module):
    """Batch norm over the features' channels, then a linear layer with torch's initialisation (VISSL's
    linear_eval_mlp.py).
    """

    def __init__(self, features: int, positions: int, classes: int) -> None:
        """Build the head for features [B, features]; `positions` neighbouring features each belong to one channel."""
        super().__init__()
        self.positions = positions
        self.norm = nn.BatchNorm1d(features // positions)
        self.linear = nn.Linear(features, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Map features [B, features] to scores [B, classes]."""
        channels = features.unflatten(1, (-1, self.positions))
        return self.linear(self.norm(channels).flatten(1))


def normalised_heads(features: int, positions: int, classes: Iterable[int], device: str) -> nn.ModuleList:
    """Return a `NormalisedHead` for each number of classes, drawn from torch's global generator."""
    return nn.ModuleList(NormalisedHead(features, positions, count) for count in classes).to(device)


def parameter_groups(heads: nn.ModuleList) -> list[dict[str, Any]]:
    """Return groups for an optimiser: scale and shift of batch norm have no weight decay (VISSL's `regularize_bn:
    False`).
    """
    norms = [weights for head in heads.modules() if _normalises(head) for weights in head.parameters()]
    rest = [weights for head in heads.modules() if not _normalises(head) for weights in head.parameters(recurse=False)]
    return [{"params": rest}] + ([{"params": norms, "weight_decay": 0.0}] if norms else [])


def _normalises(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm)
