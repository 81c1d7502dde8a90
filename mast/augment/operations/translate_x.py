"""Shift along x."""

from mast.augment.geometric import affine
from mast.augment.operations import Tensor
from mast.augment.operations._translate import Translate


class TranslateX(Translate):
    """Shift along x."""

    place = 60

    @staticmethod
    def undo(fraction: Tensor) -> Tensor:
        """Return the map of a shift to the right by a share of the side."""
        return affine(1, 0, -2 * fraction, 0, 1, 0)
