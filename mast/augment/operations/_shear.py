"""Code shared by shears along both axes."""

from mast.augment.operations import Geometric
from mast.augment.parameters import Uniform
from mast.settings import NonNegative


class Shear(Geometric):
    """Shear along one axis about the centre; torchvision's RandAugment keeps the upper left corner instead."""

    can_be_undone = True
    factor: NonNegative = 0.3
    """The tangent of the angle is drawn from ± this value."""

    def parameters(self, image_size: int) -> Uniform:
        """Return the range of the tangent."""
        return Uniform.of_one((-self.factor, self.factor), identity=0.0)
