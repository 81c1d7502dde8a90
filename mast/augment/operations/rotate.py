"""Rotation about the centre."""

from mast.augment.geometric import affine
from mast.augment.operations import Geometric, Tensor
from mast.augment.parameters import Uniform
from mast.settings import NonNegative


class Rotate(Geometric):
    """Rotation about the centre."""

    place = 30
    can_be_undone = True
    degrees: NonNegative = 30.0
    """The angle is drawn from ± this value, degrees."""

    def parameters(self, image_size: int) -> Uniform:
        """Return the range of the angle in degrees."""
        return Uniform.of_one((-self.degrees, self.degrees), identity=0.0)

    @staticmethod
    def undo(degrees: Tensor) -> Tensor:
        """Return the map of a counter-clockwise rotation."""
        angle = degrees.deg2rad()
        cos, sin = angle.cos(), angle.sin()
        return affine(cos, -sin, 0, sin, cos, 0)
