"""Shift along y."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mast.augment.geometric import affine
from mast.augment.operations._translate import Translate

if TYPE_CHECKING:
    from torch import Tensor


class TranslateY(Translate):
    """Shift along y."""

    place = 70

    @staticmethod
    def undo(fraction: Tensor) -> Tensor:
        """Map of a shift down by a share of the side."""
        return affine(1, 0, 0, 0, 1, -2 * fraction)
