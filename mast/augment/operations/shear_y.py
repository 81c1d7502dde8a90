"""Shear along y."""

from mast.augment.geometric import affine
from mast.augment.operations import Tensor
from mast.augment.operations._shear import Shear


class ShearY(Shear):
    """Shear along y about the centre."""

    place = 50

    @staticmethod
    def undo(factor: Tensor) -> Tensor:
        """Return the map of the shear; `factor` is the tangent, positive moves the left half down."""
        return affine(1, 0, 0, factor, 1, 0)
