"""Autocontrast."""

from mast.augment.operations import Photometric, Tensor


class Autocontrast(Photometric):
    """Stretch each channel to the full range."""

    place = 130

    @staticmethod
    def change(images: Tensor) -> Tensor:
        """Stretch each channel; a constant channel stays as it is."""
        low = images.amin(dim=(2, 3), keepdim=True)
        span = images.amax(dim=(2, 3), keepdim=True) - low
        constant = span == 0
        return images.sub(low.masked_fill(constant, 0)).div_(span.masked_fill(constant, 1)).clamp_(0, 1)
