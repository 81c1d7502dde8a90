"""Encoders by name: a narrow ResNet for small CPUs, torchvision's and timm's ResNets."""

from typing import Any

import torch
from torch import nn

from mast.errors import MastError
from mast.models.narrow import NarrowResNet
from mast.models.settings import NARROW, EncoderSpec
from mast.settings import nearest

STAGES = ("layer1", "layer2", "layer3", "layer4")
"""Modules whose outputs are the four feature levels, in every encoder that the project builds."""


def build_encoder(spec: EncoderSpec) -> nn.Module:
    """Build a backbone that maps images [N, 3, H, W] to pooled features [N, D]; D is its `num_features`.

    Key names of its state dict are torchvision's (or timm's), without a classification head.

    Raises:
        MastError: there is no such model, or it lacks the four ResNet stages.
    """
    if spec.name == NARROW:
        encoder = NarrowResNet(spec)
    elif spec.name.startswith("timm/"):
        encoder = _timm(spec)
    else:
        encoder = _torchvision(spec)
    if not all(hasattr(encoder, stage) for stage in STAGES):
        raise MastError(f"encoder.name: {spec.name!r} has no {', '.join(STAGES)}; choose a ResNet")
    if spec.stem == "small" and spec.name != NARROW:
        encoder.conv1 = nn.Conv2d(3, encoder.bn1.num_features, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(encoder.conv1.weight, mode="fan_out", nonlinearity="relu")
        encoder.maxpool = nn.Identity()
    return encoder


def normalise(images: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """Return (images − mean) / std for float images [N, 3, H, W] in [0, 1]."""
    return (images - mean) / std


def _timm(spec: EncoderSpec) -> nn.Module:
    import timm

    name = spec.name.removeprefix("timm/")
    if not timm.is_model(name):
        raise MastError(f"encoder.name: timm has no model {name!r}; {nearest(name, timm.list_models('*resne*'))}")
    options: dict[str, Any] = {"zero_init_last": spec.zero_init_residual} if "resne" in name else {}
    return timm.create_model(name, pretrained=False, num_classes=0, **options)


def _torchvision(spec: EncoderSpec) -> nn.Module:
    import torchvision

    encoder = torchvision.models.get_model(spec.name, weights=None, zero_init_residual=spec.zero_init_residual)
    encoder.num_features = encoder.fc.in_features
    encoder.fc = nn.Identity()
    return encoder
