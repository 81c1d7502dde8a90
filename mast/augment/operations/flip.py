"""Horizontal flip."""

from mast.augment.geometric import affine
from mast.augment.operations import Geometric, Tensor, ViewProbability


class Flip(Geometric):
    """Horizontal flip."""

    place = 20
    can_be_undone = True
    probability: ViewProbability = 0.5

    def maps(self, rows: Tensor) -> Tensor:
        """Return the maps of rows; see Geometric. A row contains only whether the flip is applied."""
        return self.undo(rows[:, 0])

    @staticmethod
    def undo(applied: Tensor) -> Tensor:
        """Return the map of a horizontal flip where `applied` is 1, and of the identity where it is 0."""
        return affine(1 - 2 * applied, 0, 0, 0, 1, 0)
