"""Random resized crop."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from mast.augment.geometric import affine
from mast.augment.operations import Generator, Geometric, Ordered, Tensor, ViewProbability
from mast.settings import Positive

Share = Annotated[float, Field(gt=0, le=1)]

ATTEMPTS = 10
"""Draws of area and ratio until a box fits (torchvision `RandomResizedCrop.get_params`)."""


@dataclass(frozen=True)
class CropBox:
    """Left, top, width and height of a box, as shares of the side of a square image.

    Area uniform in `scale`, aspect ratio log-uniform in `ratio`, drawn again together until the box fits, as
    torchvision's `RandomResizedCrop` does; boxes are not rounded to whole pixels. The strength is the share of the area
    that is cut away, relative to the largest.
    """

    scale: tuple[float, float]
    ratio: tuple[float, float]
    identity: tuple[float, ...] | Tensor = (0.0, 0.0, 1.0, 1.0)

    def draw(self, count: int, generator: Generator) -> Tensor:
        """See Parameters."""
        area, ratio = self._attempts(count, generator)
        first_fit = ((area * ratio <= 1) & (area / ratio <= 1)).int().argmax(dim=1, keepdim=True)
        return _place(area.gather(1, first_fit)[:, 0], ratio.gather(1, first_fit)[:, 0], generator)

    def at(self, level: float, count: int, generator: Generator) -> Tensor:
        """See Parameters; the ratio is kept to what fits."""
        import torch

        area = torch.full((count,), 1 - level * (1 - self.scale[0]))
        return _place(area, self._ratios((count,), generator).clamp(area, 1 / area), generator)

    def strength(self, values: Tensor) -> Tensor:
        """See Parameters."""
        if self.scale[0] >= 1:
            return values.new_zeros(len(values))
        return ((1 - values[:, 2] * values[:, 3]) / (1 - self.scale[0])).clamp(0, 1)

    def describe(self, values: Tensor) -> Tensor:
        """The box's centre (x, y), width and height, in shares of the image's side."""
        import torch

        corner, size = values[:, :2], values[:, 2:]
        return torch.cat((corner + size / 2, size), dim=1)

    def _attempts(self, count: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Areas, as shares of the image's, and ratios, float32 [count, ATTEMPTS] each."""
        import torch

        low, high = self.scale
        area = low + (high - low) * torch.rand(count, ATTEMPTS, generator=generator)
        return area, self._ratios((count, ATTEMPTS), generator)

    def _ratios(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        import torch

        low, high = torch.tensor(self.ratio).log()
        return (low + (high - low) * torch.rand(shape, generator=generator)).exp()


def _place(area: Tensor, ratio: Tensor, generator: Generator) -> Tensor:
    """Boxes [N, 4] of the given areas and ratios at random places; a side that would not fit is cut to the image's."""
    import torch

    size = torch.stack(((area * ratio).sqrt(), (area / ratio).sqrt()), dim=1).clamp(max=1)
    corner = (1 - size) * torch.rand(len(area), 2, generator=generator)
    return torch.cat((corner, size), dim=1)


class Crop(Geometric):
    """Random resized crop (torchvision `RandomResizedCrop`)."""

    place = 10
    probability: ViewProbability = 1.0
    scale: Annotated[tuple[Share, Share], Ordered] = (0.08, 1.0)
    """Range of the crop's area, as a share of the image's."""
    ratio: Annotated[tuple[Positive, Positive], Ordered] = (3 / 4, 4 / 3)
    """Range of the crop's aspect ratio, log-uniform."""
    interpolation: Literal["bicubic", "bilinear"] | None = None
    """Of images that stay in place, whose crops are cut from the original file: how a crop is resized, antialiased.
    Null: as the source does it, bicubic in pretraining (facebookresearch/vicreg, augmentations.py), bilinear where a
    head is trained (evaluate.py). Prepared arrays are sampled bilinearly."""

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Results are known by the hash of their settings: a null interpolation leaves it as it was without the key."""
        return {key: value for key, value in handler(self).items() if key != "interpolation" or value is not None}

    def parameters(self, image_size: int) -> CropBox:
        """Left, top, width and height of the box."""
        return CropBox(self.scale, self.ratio)

    def parameters_in_place(self, sizes: Tensor) -> CropBox:
        """The same in images of these sizes, int64 [N, 2]: width and height in pixels."""
        from mast.augment.boxes import PixelBox, central_squares

        return PixelBox(self.scale, self.ratio, central_squares(sizes), sizes=sizes)

    @staticmethod
    def undo(left: Tensor, top: Tensor, width: Tensor, height: Tensor) -> Tensor:
        """Map of the crop of a box, given as shares of the image's side, blown up to the full image."""
        return affine(width, 0, 2 * left + width - 1, 0, height, 2 * top + height - 1)
