"""What shears along either axis share."""

from mast.augment.operations import Geometric
from mast.augment.parameters import Uniform
from mast.settings import NonNegative


class Shear(Geometric):
    """Shear along one axis; the centre stays in place, where torchvision's RandAugment keeps the upper left corner."""

    can_be_undone = True
    factor: NonNegative = 0.3
    """Drawn from ± this (the tangent of the angle)."""

    def parameters(self, image_size: int) -> Uniform:
        """The tangent."""
        return Uniform.of_one((-self.factor, self.factor), identity=0.0)
