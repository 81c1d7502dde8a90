"""Shear along y."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mast.augment.geometric import affine
from mast.augment.operations._shear import Shear

if TYPE_CHECKING:
    from torch import Tensor


class ShearY(Shear):
    """Shear along y about the centre."""

    place = 50

    @staticmethod
    def undo(factor: Tensor) -> Tensor:
        """Map of the shear; `factor` is the tangent, positive moves the left half down."""
        return affine(1, 0, 0, factor, 1, 0)
