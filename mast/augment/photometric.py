"""Helpers shared by photometric augmentations; images are float32 [N, 3, H, W] in [0, 1], on any device."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LUMA = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601, rounded as torchvision's `rgb_to_grayscale` does)."""


def luma(images: Tensor) -> Tensor:
    """Return the weighted sum of the channels, float32 [N, H, W]."""
    red, green, blue = images.unbind(1)
    return (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def to_levels(images: Tensor) -> Tensor:
    """Return the 8-bit values 0…255, as float32 like `images`."""
    return images.mul(255).round_()


def per_image(values: Tensor) -> Tensor:
    """Return one value per image, [N], in the shape [N, 1, 1, 1] that multiplies images."""
    return values.view(-1, 1, 1, 1)
