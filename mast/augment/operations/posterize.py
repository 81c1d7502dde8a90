"""Posterize."""

from typing import Annotated

from pydantic import Field

from mast.augment.operations import Ordered, Photometric, Tensor
from mast.augment.parameters import UniformInteger
from mast.augment.photometric import per_image, to_levels

Bits = Annotated[int, Field(ge=1, le=8)]


class Posterize(Photometric):
    """Keep the high bits of each channel."""

    place = 100
    bits: Annotated[tuple[Bits, Bits], Ordered] = (4, 7)
    """Range of the number of bits kept, inclusive."""

    def parameters(self, image_size: int) -> UniformInteger:
        """The number of bits."""
        return UniformInteger.of_one(self.bits, identity=8.0)

    @staticmethod
    def change(images: Tensor, bits: Tensor) -> Tensor:
        """Keep the `bits` (1…8) high bits of each channel's 8-bit value, as torchvision does to uint8 images."""
        step = per_image(2.0 ** (8 - bits))
        return to_levels(images).div_(step).floor_().mul_(step).div_(255)
