"""Code shared by shifts along both axes."""

from mast.augment.operations import Geometric
from mast.augment.parameters import Uniform
from mast.settings import Probability

RAND_AUGMENT = 150 / 331
"""AutoAugment's 150 pixels of 331 (torchvision's `RandAugment`)."""


class Translate(Geometric):
    """Shift along one axis, not rounded to whole pixels."""

    can_be_undone = True
    fraction: Probability = RAND_AUGMENT
    """The shift is drawn from ± this share of the image's side."""

    def parameters(self, image_size: int) -> Uniform:
        """Return the range of the shift, as a share of the side."""
        return Uniform.of_one((-self.fraction, self.fraction), identity=0.0)
