"""The augmentations, one file each: settings, place in the order of application, parameters and operation.

Strengths follow VICReg's `augmentations.py` and torchvision's RandAugment magnitudes; each field says its unit.
Workflows are planned with the settings: these modules import torch inside functions.
"""

import math
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import AfterValidator

from mast.augment.parameters import Parameters, Switch
from mast.catalogue import Catalogue
from mast.settings import Probability, StrictModel

if TYPE_CHECKING:
    from torch import Generator, Tensor
else:  # names for annotations: the settings are read where torch is not imported
    Generator = Tensor = Any

ViewProbability = Probability | tuple[Probability, Probability]
"""One number, or two for view a and view b (VICReg's blur and solarize are asymmetric)."""


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("the range's lower end comes first")
    return bounds


Ordered = AfterValidator(_ordered)
"""For a field with the two ends of a range: `Annotated[tuple[Positive, Positive], Ordered]`."""


class Augmentation(StrictModel):
    """Settings of one augmentation and what it does; derive from `Geometric` or `Photometric`."""

    geometric: ClassVar[bool]
    """Whether it moves pixels (all such are applied first, in one resampling) or changes their values."""
    place: ClassVar[float] = math.inf
    """Where in the order of application it stands among its kind; by name where the places are equal."""

    probability: ViewProbability = 0.2

    def parameters(self, image_size: int) -> Parameters:
        """Its P parameters for square images of `image_size` pixels; none unless overridden."""
        return Switch()

    def acts(self, rows: Tensor) -> Tensor:
        """Which images it changes, bool [N], by their rows (`mast.augment.policy.Params`): all where it is applied."""
        return rows[:, 0] > 0


class Geometric(Augmentation):
    """An augmentation that is an affine map of the image."""

    geometric = True

    def maps(self, rows: Tensor) -> Tensor:
        """Maps [N, 3, 3] (`mast.augment.geometric`) of rows [N, 1 + P]; rows not applied hold the identity's values."""
        return self.undo(*rows[:, 1:].unbind(1))

    @staticmethod
    def undo(*values: Tensor) -> Tensor:
        """Maps [N, 3, 3] that take an output pixel to its source, from P parameters, float32 [N] each."""
        raise NotImplementedError


class Photometric(Augmentation):
    """An augmentation that changes the values of pixels."""

    geometric = False

    @staticmethod
    def change(images: Tensor, *values: Tensor) -> Tensor:
        """Changed images, float32 in [0, 1].

        Unless an augmentation's docstring says otherwise it equals the function of the same name in
        `torchvision.transforms.v2.functional`, applied image by image.

        Args:
            images: float32 [N, 3, H, W] in [0, 1], on any device; stays as it is.
            values: P parameters, float32 [N] each, on the same device.
        """
        raise NotImplementedError


AUGMENTATIONS: Catalogue[Any] = Catalogue("mast.augment.operations", Augmentation, underscores=True)
"""Every augmentation by its name in configurations."""
