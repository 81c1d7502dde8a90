"""Shift along x."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mast.augment.geometric import affine
from mast.augment.operations._translate import Translate

if TYPE_CHECKING:
    from torch import Tensor


class TranslateX(Translate):
    """Shift along x."""

    place = 60

    @staticmethod
    def undo(fraction: Tensor) -> Tensor:
        """Map of a shift to the right by a share of the side."""
        return affine(1, 0, -2 * fraction, 0, 1, 0)
