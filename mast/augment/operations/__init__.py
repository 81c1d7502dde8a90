"""The augmentations, one file each: settings, place in the order of application, parameters and operation.

Strengths are those of VICReg (facebookresearch/vicreg, augmentations.py) and, of augmentations that it does not have,
the largest magnitudes of torchvision's `RandAugment`; each field says its unit (docs/understand/method.md, Magnitudes).
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


HALF_LEVEL = 0.5 / 255
"""A change of fewer than half a level, of values in [0, 1], moves no pixel of an image of 8 bits."""

Ordered = AfterValidator(_ordered)
"""For a field with the two ends of a range: `Annotated[tuple[Positive, Positive], Ordered]`."""


class Augmentation(StrictModel):
    """Settings of one augmentation and what it does; derive from `Geometric` or `Photometric`."""

    geometric: ClassVar[bool]
    """Whether it moves pixels (all such are applied first, in one resampling) or changes their values."""
    can_be_undone: ClassVar[bool] = False
    """Whether an image can be had back from its view, but for what leaves the range of values or the frame."""
    hides: ClassVar[tuple[str, ...]] = ()
    """Names of augmentations whose effect, or part of it, cannot be seen in a view after this one."""
    place: ClassVar[float] = math.inf
    """Where in the order of application it stands among its kind; by name where the places are equal."""

    probability: ViewProbability = 0.2

    def parameters(self, image_size: int) -> Parameters:
        """Its P parameters for square images of `image_size` pixels; none unless overridden."""
        return Switch()

    def differ(self, a: Tensor, b: Tensor, image_size: int) -> Tensor:
        """Whether rows a and b [N, 1 + P] (`mast.augment.policy.Params`) make some 8-bit image different, bool [N].

        By default they do where their values differ, or without values where one is applied and the other is not.
        Override it where other values do the same: a row that does not differ from the identity's is not applied.

        Args:
            a: rows whose values are the identity's where they are not applied.
            b: likewise.
            image_size: side of the images, pixels.
        """
        first = min(1, a.shape[1] - 1)
        return (a[:, first:] != b[:, first:]).any(dim=1)


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
