"""Shear along x."""

from mast.augment.geometric import affine
from mast.augment.operations import Tensor
from mast.augment.operations._shear import Shear


class ShearX(Shear):
    """Shear along x about the centre."""

    place = 40

    @staticmethod
    def undo(factor: Tensor) -> Tensor:
        """Return the map of the shear; `factor` is the tangent, positive moves the upper half right."""
        return affine(1, factor, 0, 0, 1, 0)
