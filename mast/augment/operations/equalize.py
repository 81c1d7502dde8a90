"""Histogram equalisation."""

from mast.augment.operations import Photometric, Tensor
from mast.augment.photometric import to_levels

LEVELS = 255
"""Number of steps of the 8-bit values. An image without more pixels than this stays as it is."""


class Equalize(Photometric):
    """Histogram equalisation of each channel."""

    place = 120

    def differ(self, a: Tensor, b: Tensor, image_size: int) -> Tensor:
        """Return where equalising is visible; see Augmentation. It never is on images of 15 pixels or less a side."""
        return super().differ(a, b, image_size) & (image_size**2 > LEVELS)

    @staticmethod
    def change(images: Tensor) -> Tensor:
        """Equalise the histogram of each channel's 8-bit values, as torchvision (and Pillow) does to uint8 images."""
        import torch

        levels = to_levels(images).flatten(2).long()
        histogram = torch.zeros(*levels.shape[:2], 256, dtype=torch.long, device=images.device)
        histogram.scatter_add_(2, levels, torch.ones_like(levels))
        brightest = histogram.gather(2, levels.amax(dim=2, keepdim=True))
        step = (levels.shape[2] - brightest) // LEVELS
        below = histogram.cumsum(dim=2) - histogram
        table = ((below + step // 2) // step.clamp(min=1)).clamp_(max=LEVELS)
        equalized = table.gather(2, levels).float().div_(LEVELS).view_as(images)
        return torch.where(step.unsqueeze(3) == 0, images, equalized)
