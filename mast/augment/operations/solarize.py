"""Solarize."""

from typing import Annotated

from mast.augment.operations import Ordered, Photometric, Tensor
from mast.augment.parameters import Uniform
from mast.augment.photometric import per_image
from mast.settings import Probability


class Solarize(Photometric):
    """Invert the values at or above a threshold."""

    place = 110
    threshold: Annotated[tuple[Probability, Probability], Ordered] = (0.5, 0.5)
    """Range of the threshold on the [0, 1] scale."""

    def parameters(self, image_size: int) -> Uniform:
        """Return the range of the threshold."""
        return Uniform.of_one(self.threshold, identity=1.0)

    @staticmethod
    def change(images: Tensor, threshold: Tensor) -> Tensor:
        """Invert the values at or above a threshold in [0, 1]."""
        return images.sub((images >= per_image(threshold)).float()).abs_()
