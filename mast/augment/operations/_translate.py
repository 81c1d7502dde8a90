"""What shifts along either axis share."""

from mast.augment.operations import Geometric
from mast.augment.parameters import Uniform
from mast.settings import Probability

RAND_AUGMENT = 150 / 331
"""AutoAugment's 150 pixels of 331 (torchvision's `RandAugment`)."""


class Translate(Geometric):
    """Shift along one axis, not rounded to whole pixels."""

    can_be_undone = True
    fraction: Probability = RAND_AUGMENT
    """Drawn from ± this share of the image's side."""

    def parameters(self, image_size: int) -> Uniform:
        """The share of the side."""
        return Uniform.of_one((-self.fraction, self.fraction), identity=0.0)
