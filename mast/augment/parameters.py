"""Where the parameters of each augmentation come from: draws on the CPU, strengths, and the values of the identity."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from mast.augment.settings import PolicySpec

CROP_ATTEMPTS = 10
"""Draws of area and ratio until a box fits (torchvision `RandomResizedCrop.get_params`)."""


class Parameters(Protocol):
    """The parameters of one augmentation, one column each."""

    identity: tuple[float, ...]
    """Values with which the augmentation does nothing."""

    def draw(self, count: int, generator: Generator) -> Tensor:
        """Random values, float32 [count, len(identity)]."""

    def at(self, level: float, count: int, generator: Generator) -> Tensor:
        """Values of strength `level`, float32 [count, len(identity)]; what the strength leaves open is random."""

    def strength(self, values: Tensor) -> Tensor:
        """Strength of rows of values, float32 [N] in [0, 1]: 0 for the identity, 1 for the strongest allowed."""


@dataclass(frozen=True)
class Switch:
    """An augmentation that is on or off: it has no values, and any strength above 0 is 1."""

    identity: tuple[float, ...] = ()

    def draw(self, count: int, generator: Generator) -> Tensor:
        """See Parameters."""
        return torch.empty(count, 0)

    def at(self, level: float, count: int, generator: Generator) -> Tensor:
        """See Parameters."""
        return torch.empty(count, 0)

    def strength(self, values: Tensor) -> Tensor:
        """See Parameters."""
        return torch.ones(len(values))


@dataclass(frozen=True)
class Uniform:
    """Independent values, uniform between `low` and `high`.

    A value's strength is its distance from the identity, as a share of the largest that the range allows on that side;
    the strength of several is their mean.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    identity: tuple[float, ...]

    def draw(self, count: int, generator: Generator) -> Tensor:
        """See Parameters."""
        low, high = torch.tensor(self.low), torch.tensor(self.high)
        return low + (high - low) * torch.rand(count, len(self.low), generator=generator)

    def at(self, level: float, count: int, generator: Generator) -> Tensor:
        """See Parameters."""
        above, below = self._reach()
        upwards = torch.rand(count, len(self.low), generator=generator) < (above > 0).float() / (
            1 + (below > 0).float()
        )
        return torch.tensor(self.identity) + level * torch.where(upwards, above, -below)

    def strength(self, values: Tensor) -> Tensor:
        """See Parameters."""
        above, below = self._reach()
        free = (above > 0) | (below > 0)
        offset = values - torch.tensor(self.identity)
        reach = torch.where(offset > 0, above, below)
        share = torch.where(reach > 0, offset.abs() / reach.clamp(min=1e-12), 0)
        return (share[:, free].sum(dim=1) / max(1, int(free.sum()))).clamp(0, 1)

    def _reach(self) -> tuple[Tensor, Tensor]:
        """The largest distances from the identity, above and below it, [P] each."""
        low, high, identity = torch.tensor(self.low), torch.tensor(self.high), torch.tensor(self.identity)
        return (high - identity).clamp(min=0), (identity - low).clamp(min=0)


@dataclass(frozen=True)
class UniformInteger(Uniform):
    """Integers between `low` and `high`, both included."""

    def draw(self, count: int, generator: Generator) -> Tensor:
        """See Parameters."""
        low, high = torch.tensor(self.low), torch.tensor(self.high)
        return low + ((high - low + 1) * torch.rand(count, len(self.low), generator=generator)).floor()

    def at(self, level: float, count: int, generator: Generator) -> Tensor:
        """See Parameters; the nearest integers."""
        return super().at(level, count, generator).round()


@dataclass(frozen=True)
class CropBox:
    """Left, top, width and height of a box, as shares of the side of a square image.

    Area uniform in `scale`, aspect ratio log-uniform in `ratio`, drawn again together until the box fits, as
    torchvision's `RandomResizedCrop` does; boxes are not rounded to whole pixels. The strength is the share of the area
    that is cut away, relative to the largest.
    """

    scale: tuple[float, float]
    ratio: tuple[float, float]
    identity: tuple[float, ...] = (0.0, 0.0, 1.0, 1.0)

    def draw(self, count: int, generator: Generator) -> Tensor:
        """See Parameters."""
        low, high = self.scale
        area = low + (high - low) * torch.rand(count, CROP_ATTEMPTS, generator=generator)
        ratio = self._ratios((count, CROP_ATTEMPTS), generator)
        first_fit = ((area * ratio <= 1) & (area / ratio <= 1)).int().argmax(dim=1, keepdim=True)
        return _place(area.gather(1, first_fit)[:, 0], ratio.gather(1, first_fit)[:, 0], generator)

    def at(self, level: float, count: int, generator: Generator) -> Tensor:
        """See Parameters; the ratio is kept to what fits."""
        area = torch.full((count,), 1 - level * (1 - self.scale[0]))
        return _place(area, self._ratios((count,), generator).clamp(area, 1 / area), generator)

    def strength(self, values: Tensor) -> Tensor:
        """See Parameters."""
        if self.scale[0] >= 1:
            return torch.zeros(len(values))
        return ((1 - values[:, 2] * values[:, 3]) / (1 - self.scale[0])).clamp(0, 1)

    def _ratios(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        low, high = torch.tensor(self.ratio).log()
        return (low + (high - low) * torch.rand(shape, generator=generator)).exp()


def _place(area: Tensor, ratio: Tensor, generator: Generator) -> Tensor:
    """Boxes [N, 4] of the given areas and ratios at random places; a side that would not fit is cut to the image's."""
    size = torch.stack(((area * ratio).sqrt(), (area / ratio).sqrt()), dim=1).clamp(max=1)
    corner = (1 - size) * torch.rand(len(area), 2, generator=generator)
    return torch.cat((corner, size), dim=1)


def parameters_of(name: str, spec: PolicySpec, image_size: int) -> Parameters:
    """The parameters of the augmentation `name`, with the blur's sigma scaled to images of `image_size` pixels."""
    own = getattr(spec, name)
    match name:
        case "crop":
            return CropBox(own.scale, own.ratio)
        case "rotate":
            return _symmetric(own.degrees)
        case "shear_x" | "shear_y":
            return _symmetric(own.factor)
        case "translate_x" | "translate_y":
            return _symmetric(own.fraction)
        case "jitter":
            factors = (own.brightness, own.contrast, own.saturation)
            low, high = tuple(max(0.0, 1 - reach) for reach in factors), tuple(1 + reach for reach in factors)
            return Uniform((*low, -own.hue), (*high, own.hue), (1.0, 1.0, 1.0, 0.0))
        case "posterize":
            return UniformInteger((own.bits[0],), (own.bits[1],), (8.0,))
        case "solarize":
            return Uniform((own.threshold[0],), (own.threshold[1],), (1.0,))
        case "sharpness":
            return Uniform((own.factor[0],), (own.factor[1],), (1.0,))
        case "blur":
            pixels = image_size / own.reference_size
            return Uniform((own.sigma[0] * pixels,), (own.sigma[1] * pixels,), (0.0,))
        case _:
            return Switch()


def _symmetric(reach: float) -> Uniform:
    return Uniform((-reach,), (reach,), (0.0,))
