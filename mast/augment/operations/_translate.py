"""What shifts along either axis share."""

from mast.augment.operations import Geometric
from mast.augment.parameters import Uniform
from mast.settings import Probability


class Translate(Geometric):
    """Shift along one axis."""

    fraction: Probability = 0.3
    """Drawn from ± this share of the image's side."""

    def parameters(self, image_size: int) -> Uniform:
        """The share of the side."""
        return Uniform.of_one((-self.fraction, self.fraction), identity=0.0)
