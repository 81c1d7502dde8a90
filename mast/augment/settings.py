"""Augmentations: one model per atomic augmentation, the named sets, and how the two views of a pair share them.

Strengths follow VICReg's `augmentations.py` and torchvision's RandAugment magnitudes; each field says its unit.
`probability` may be one number, or two for view a and view b (VICReg's blur and solarize are asymmetric).
"""

from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from mast.settings import NonNegative, Positive, Probability, StrictModel

AugmentationName = Literal[
    "crop",
    "flip",
    "rotate",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
    "jitter",
    "grayscale",
    "posterize",
    "solarize",
    "equalize",
    "autocontrast",
    "sharpness",
    "blur",
]
"""Every atomic augmentation, in the fixed order in which a policy applies them."""

AUGMENTATIONS: tuple[str, ...] = get_args(AugmentationName)

SETS: dict[str, tuple[str, ...]] = {
    "none": (),
    "mast5": ("crop", "flip", "jitter", "grayscale", "blur"),
    "vicreg": ("crop", "flip", "jitter", "grayscale", "blur", "solarize"),
    "mast15": AUGMENTATIONS,
}
"""Named augmentation sets: `mast5` and `mast15` are the paper's; `vicreg` adds VICReg's solarize to `mast5`."""

ViewProbability = Probability | tuple[Probability, Probability]


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("the range's lower end comes first")
    return bounds


Ordered = AfterValidator(_ordered)
Bits = Annotated[int, Field(ge=1, le=8)]
Share = Annotated[float, Field(gt=0, le=1)]


class Crop(StrictModel):
    """Random resized crop (torchvision `RandomResizedCrop`)."""

    probability: ViewProbability = 1.0
    scale: Annotated[tuple[Share, Share], Ordered] = (0.08, 1.0)
    """Range of the crop's area, as a share of the image's."""
    ratio: Annotated[tuple[Positive, Positive], Ordered] = (3 / 4, 4 / 3)
    """Range of the crop's aspect ratio, log-uniform."""


class Flip(StrictModel):
    """Horizontal flip."""

    probability: ViewProbability = 0.5


class Jitter(StrictModel):
    """Brightness, contrast, saturation (factors 1 ± x) and hue (± x of the colour circle)."""

    probability: ViewProbability = 0.8
    brightness: NonNegative = 0.4
    contrast: NonNegative = 0.4
    saturation: NonNegative = 0.2
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.1


class Grayscale(StrictModel):
    """Luma in all three channels."""

    probability: ViewProbability = 0.2


class Blur(StrictModel):
    """Gaussian blur."""

    probability: ViewProbability = 0.5
    sigma: Annotated[tuple[Positive, Positive], Ordered] = (0.1, 2.0)
    """Range of the standard deviation, pixels at `reference_size`."""
    reference_size: Positive = 224
    """Image side for which `sigma` is stated; scaled in proportion to the actual side."""


class Solarize(StrictModel):
    """Invert the values at or above a threshold."""

    probability: ViewProbability = 0.2
    threshold: Annotated[tuple[Probability, Probability], Ordered] = (0.5, 0.5)
    """Range of the threshold on the [0, 1] scale."""


class Posterize(StrictModel):
    """Keep the high bits of each channel."""

    probability: ViewProbability = 0.2
    bits: Annotated[tuple[Bits, Bits], Ordered] = (4, 7)
    """Range of the number of bits kept, inclusive."""


class Equalize(StrictModel):
    """Histogram equalisation of each channel."""

    probability: ViewProbability = 0.2


class Autocontrast(StrictModel):
    """Stretch each channel to the full range."""

    probability: ViewProbability = 0.2


class Sharpness(StrictModel):
    """Blend with a smoothed copy: factor 0 is smooth, 1 the image, 2 sharpened."""

    probability: ViewProbability = 0.2
    factor: Annotated[tuple[NonNegative, NonNegative], Ordered] = (0.1, 1.9)


class Rotate(StrictModel):
    """Rotation about the centre."""

    probability: ViewProbability = 0.2
    degrees: NonNegative = 30.0
    """Drawn from ± this."""


class Shear(StrictModel):
    """Shear along one axis."""

    probability: ViewProbability = 0.2
    factor: NonNegative = 0.3
    """Drawn from ± this (the tangent of the angle)."""


class Translate(StrictModel):
    """Shift along one axis."""

    probability: ViewProbability = 0.2
    fraction: Probability = 0.3
    """Drawn from ± this share of the image's side."""


class PolicySpec(StrictModel):
    """Which augmentations a view passes through, and how strong each is."""

    augmentations: Literal["none", "mast5", "vicreg", "mast15"] | tuple[AugmentationName, ...] = "mast5"
    """A named set, or a list of names. The order of application is fixed: that of `AUGMENTATIONS`."""
    crop: Crop | None = Crop()
    flip: Flip | None = Flip()
    rotate: Rotate | None = Rotate()
    shear_x: Shear | None = Shear()
    shear_y: Shear | None = Shear()
    translate_x: Translate | None = Translate()
    translate_y: Translate | None = Translate()
    jitter: Jitter | None = Jitter()
    grayscale: Grayscale | None = Grayscale()
    posterize: Posterize | None = Posterize()
    solarize: Solarize | None = Solarize()
    equalize: Equalize | None = Equalize()
    autocontrast: Autocontrast | None = Autocontrast()
    sharpness: Sharpness | None = Sharpness()
    blur: Blur | None = Blur()

    @property
    def names(self) -> tuple[str, ...]:
        """The augmentations in use, in the order of application."""
        chosen = SETS[self.augmentations] if isinstance(self.augmentations, str) else self.augmentations
        return tuple(name for name in AUGMENTATIONS if name in chosen)

    def pruned(self) -> "PolicySpec":
        """The same policy without the settings of augmentations that are not in use (set to None)."""
        return self.model_copy(update={name: None for name in AUGMENTATIONS if name not in self.names})

    @model_validator(mode="after")
    def _settings_of_used(self) -> Self:
        for name in self.names:
            if getattr(self, name) is None:
                raise ValueError(
                    f"'{name}' is in the set but its settings are null; leave the key out or give settings"
                )
        return self


REDRAWN = 0.75
"""Probability with which `subset` redraws an augmentation that is not named."""

PairingName = Literal["composed", "single", "crop_plus_one", "leave_one_out", "subset"]


class PairingSpec(StrictModel):
    """Which augmentations are redrawn for view b; all others keep view a's parameters exactly.

    Augmentations named here that a run's policy does not use are ignored. Without crop in the policy, `crop_plus_one`
    is `single`; where crop's group is all there is, it is that group. With a single augmentation or group there is
    nothing to leave out, and `leave_one_out` is `composed`.
    """

    mixture: Annotated[dict[PairingName, Positive], Field(min_length=1, default_factory=lambda: {"subset": 1.0})]
    """Weights with which each image of a batch draws its kind of pair.

    `composed`: all are redrawn (plain VICReg). `single`: one is. `crop_plus_one`: crop and one other.
    `leave_one_out`: all but one. `subset`: each with its own probability.
    """
    groups: tuple[tuple[AugmentationName, ...], ...] = ()
    """Augmentations that `single`, `crop_plus_one` and `leave_one_out` treat as one; those not named stand alone."""
    subset_probability: Probability | dict[AugmentationName, Probability] = REDRAWN
    """For `subset`: probability of being redrawn, one for all or per augmentation (others: 0.75)."""

    @model_validator(mode="after")
    def _groups_are_disjoint(self) -> Self:
        members = [name for group in self.groups for name in group]
        for name in members:
            if members.count(name) > 1:
                raise ValueError(f"groups: '{name}' stands in more than one place; name it once")
        return self
