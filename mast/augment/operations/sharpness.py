"""Sharpness."""

from typing import Annotated

from mast.augment.operations import Ordered, Photometric, Tensor
from mast.augment.parameters import Uniform
from mast.augment.photometric import per_image
from mast.settings import NonNegative


class Sharpness(Photometric):
    """Blend with a smoothed copy: factor 0 is smooth, 1 the image, 2 sharpened."""

    place = 140
    factor: Annotated[tuple[NonNegative, NonNegative], Ordered] = (0.1, 1.9)
    """Range of the factor."""

    def parameters(self, image_size: int) -> Uniform:
        """Return the range of the factor."""
        return Uniform.of_one(self.factor, identity=1.0)

    @staticmethod
    def change(images: Tensor, factor: Tensor) -> Tensor:
        """Blend with a copy smoothed by (1 1 1, 1 5 1, 1 1 1) / 13.

        The outermost pixels stay, as in torchvision's `adjust_sharpness`.
        """
        if min(images.shape[2:]) < 3:
            return images.clone()
        inner = images[:, :, 1:-1, 1:-1]
        smooth_minus_inner = _three_wide(_three_wide(images, 2), 3).sub_(inner, alpha=9).div_(13)
        result = images.clone()
        result[:, :, 1:-1, 1:-1] += smooth_minus_inner.mul_(1 - per_image(factor))
        return result.clamp_(0, 1)


def _three_wide(images: Tensor, dim: int) -> Tensor:
    """Return sums of three neighbours along a dimension, which gets shorter by two."""
    size = images.shape[dim] - 2
    return images.narrow(dim, 0, size).add(images.narrow(dim, 1, size)).add_(images.narrow(dim, 2, size))
