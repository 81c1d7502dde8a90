"""Shift along y."""

from mast.augment.geometric import affine
from mast.augment.operations import Tensor
from mast.augment.operations._translate import Translate


class TranslateY(Translate):
    """Shift along y."""

    place = 70

    @staticmethod
    def undo(fraction: Tensor) -> Tensor:
        """Return the map of a shift down by a share of the side."""
        return affine(1, 0, 0, 0, 1, -2 * fraction)
