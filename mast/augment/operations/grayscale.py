"""Grayscale."""

from mast.augment.operations import Photometric, Tensor
from mast.augment.photometric import luma


class Grayscale(Photometric):
    """Luma in all three channels."""

    place = 90
    hides = ("jitter",)

    @staticmethod
    def change(images: Tensor) -> Tensor:
        """Convert as torchvision's `rgb_to_grayscale` does."""
        return luma(images).unsqueeze(1).expand_as(images).contiguous()
