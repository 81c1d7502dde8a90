"""Grayscale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mast.augment.operations import Photometric
from mast.augment.photometric import luma

if TYPE_CHECKING:
    from torch import Tensor


class Grayscale(Photometric):
    """Luma in all three channels."""

    place = 90

    @staticmethod
    def change(images: Tensor) -> Tensor:
        """Torchvision's `rgb_to_grayscale`."""
        return luma(images).unsqueeze(1).expand_as(images).contiguous()
