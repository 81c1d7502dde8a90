"""Colour jitter."""

from typing import Annotated

from pydantic import Field

from mast.augment.operations import Photometric, Tensor, ViewProbability
from mast.augment.parameters import Uniform
from mast.augment.photometric import LUMA, luma, per_image
from mast.settings import NonNegative


class Jitter(Photometric):
    """Brightness, contrast, saturation (factors 1 ± x) and hue (± x of the colour circle)."""

    place = 80
    can_be_undone = True
    probability: ViewProbability = 0.8
    brightness: NonNegative = 0.4
    """The factor of brightness is drawn from 1 ± this value, never below 0."""
    contrast: NonNegative = 0.4
    """The factor of contrast, likewise."""
    saturation: NonNegative = 0.2
    """The factor of saturation, likewise."""
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """The shift of hue is drawn from ± this share of the colour circle."""

    def parameters(self, image_size: int) -> Uniform:
        """Return the ranges of the three factors and of the hue shift."""
        factors = (self.brightness, self.contrast, self.saturation)
        low, high = tuple(max(0.0, 1 - reach) for reach in factors), tuple(1 + reach for reach in factors)
        return Uniform((*low, -self.hue), (*high, self.hue), (1.0, 1.0, 1.0, 0.0))

    @staticmethod
    def change(images: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor) -> Tensor:
        """Apply the changes in the order of the arguments; torchvision's `ColorJitter` draws the order."""
        images = adjust_brightness(images, brightness)
        _contrast_(images, contrast)
        _saturation_(images, saturation)
        return adjust_hue(images, hue)


def adjust_brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply by a factor ≥ 0."""
    return images.mul(per_image(factor)).clamp_(max=1)


def adjust_hue(images: Tensor, shift: Tensor) -> Tensor:
    """Shift the hue (of HSV) by a share of the colour circle, -0.5…0.5.

    In units of 60°, a hue's distance from red is 2 + (G + B − R − max)/(max − min), on green's side if G ≥ B. A channel
    is below the maximum by (max − min) times a factor of the distance between the hue and the channel's own hue. The
    factor rises from 0 at 60° to 1 at 120°.
    """
    import torch

    red, green, blue = images.unbind(1)
    value = images.amax(dim=1)
    chroma = value - images.amin(dim=1)
    from_red = (green + blue).sub_(red).sub_(value).div_(chroma.clamp(min=1e-12)).add_(2)
    sector = from_red.copysign_(green - blue).add_(6 * shift.view(-1, 1, 1))
    sector -= sector.div(6).floor_().mul_(6)
    above_minimum = torch.stack(((sector - 3).abs_() - 1, 2 - (sector - 2).abs_(), 2 - (sector - 4).abs_()), dim=1)
    return above_minimum.clamp_(0, 1).sub_(1).mul_(chroma.unsqueeze(1)).add_(value.unsqueeze(1))


def _contrast_(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the image's mean luma, in place; factor ≥ 0, 1 is the image."""
    import torch

    weights = torch.stack([images.new_full((), weight) for weight in LUMA])  # new_tensor would wait for a GPU
    mean = images.mean(dim=(2, 3)) @ weights
    return images.mul_(per_image(factor)).add_(per_image((1 - factor) * mean)).clamp_(0, 1)


def _saturation_(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the luma of each pixel, in place; factor ≥ 0, 1 is the image."""
    gray = luma(images).mul_((1 - factor).view(-1, 1, 1))
    return images.mul_(per_image(factor)).add_(gray.unsqueeze(1)).clamp_(0, 1)
