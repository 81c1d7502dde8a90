"""The augmentations, one file each: settings, position in the order of application, parameters and operation.

Strengths are those of VICReg (facebookresearch/vicreg, augmentations.py). Augmentations that VICReg does not have use
the largest magnitudes of torchvision's `RandAugment`. Each field gives its unit (docs/understand/method.md,
Magnitudes). Planning a workflow reads the settings, so these modules import torch inside functions.
"""

import math
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import AfterValidator

from mast.augment.parameters import Parameters, Switch
from mast.catalogue import Catalogue
from mast.settings import Probability, StrictModel

if TYPE_CHECKING:
    from torch import Generator, Tensor
else:  # names for annotations: settings are read in processes that do not import torch
    Generator = Tensor = Any

ViewProbability = Probability | tuple[Probability, Probability]
"""One probability, or two for view a and view b (VICReg's blur and solarize are asymmetric)."""


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("the range's lower end comes first")
    return bounds


HALF_LEVEL = 0.5 / 255
"""Half a level of 8 bits, for values in [0, 1]. A smaller change does not alter a pixel."""

Ordered = AfterValidator(_ordered)
"""Validator of a field with the two ends of a range: `Annotated[tuple[Positive, Positive], Ordered]`."""


class Augmentation(StrictModel):
    """Settings and operation of one augmentation; derive from `Geometric` or `Photometric`."""

    geometric: ClassVar[bool]
    """Whether it moves pixels (these are applied first, in one resampling) or changes their values."""
    can_be_undone: ClassVar[bool] = False
    """Whether an image can be recovered from its view, except for what leaves the range of values or the frame."""
    hides: ClassVar[tuple[str, ...]] = ()
    """Names of augmentations whose parameters cannot be read from a view after this one."""
    place: ClassVar[float] = math.inf
    """Position in the order of application within its kind; equal positions are sorted by name."""

    probability: ViewProbability = 0.2
    """Probability with which a view is augmented, or one each for view a and view b."""

    def parameters(self, image_size: int) -> Parameters:
        """Return its P parameters for square images of `image_size` pixels; none unless overridden."""
        return Switch()

    def differ(self, a: Tensor, b: Tensor, image_size: int) -> Tensor:
        """Return whether rows a and b [N, 1 + P] (`mast.augment.policy.Params`) can give different 8-bit images, bool
        [N].

        By default they do if their values differ or, without values, if only one is applied. Override it if different
        values can have the same effect: a row that does not differ from the identity is not applied.

        Args:
            a: rows; rows that are not applied have the identity's values.
            b: rows like `a`.
            image_size: side of the images, pixels.
        """
        first = min(1, a.shape[1] - 1)
        return (a[:, first:] != b[:, first:]).any(dim=1)


class Geometric(Augmentation):
    """An augmentation that is an affine map of the image."""

    geometric = True

    def maps(self, rows: Tensor) -> Tensor:
        """Return maps [N, 3, 3] (`mast.augment.geometric`) of rows [N, 1 + P]; rows not applied have the identity's
        values.
        """
        return self.undo(*rows[:, 1:].unbind(1))

    @staticmethod
    def undo(*values: Tensor) -> Tensor:
        """Return maps [N, 3, 3] that take an output pixel to its source, from P parameters, float32 [N] each."""
        raise NotImplementedError


class Photometric(Augmentation):
    """An augmentation that changes the values of pixels."""

    geometric = False

    @staticmethod
    def change(images: Tensor, *values: Tensor) -> Tensor:
        """Return changed images, float32 in [0, 1].

        Unless an augmentation's docstring says otherwise it equals the function of the same name in
        `torchvision.transforms.v2.functional`, applied image by image.

        Args:
            images: float32 [N, 3, H, W] in [0, 1], on any device; not modified.
            values: P parameters, float32 [N] each, on the same device.
        """
        raise NotImplementedError


AUGMENTATIONS: Catalogue[Any] = Catalogue("mast.augment.operations", Augmentation, underscores=True)
"""Name in configurations → augmentation."""
