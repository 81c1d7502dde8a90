"""Shear along x."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mast.augment.geometric import affine
from mast.augment.operations._shear import Shear

if TYPE_CHECKING:
    from torch import Tensor


class ShearX(Shear):
    """Shear along x about the centre."""

    place = 40

    @staticmethod
    def undo(factor: Tensor) -> Tensor:
        """Map of the shear; `factor` is the tangent, positive moves the upper half right."""
        return affine(1, factor, 0, 0, 1, 0)
