"""Random resized crop."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from mast.augment.geometric import affine
from mast.augment.operations import Generator, Geometric, Ordered, Tensor, ViewProbability
from mast.settings import Positive

Share = Annotated[float, Field(gt=0, le=1)]

ATTEMPTS = 10
"""Number of draws of area and ratio until a box fits (torchvision `RandomResizedCrop.get_params`)."""


@dataclass(frozen=True)
class CropBox:
    """Left, top, width and height of a box, as shares of the side of a square image.

    The area is uniform in `scale` and the aspect ratio log-uniform in `ratio`. Both are drawn again until the box fits,
    as in torchvision's `RandomResizedCrop`. Boxes are not rounded to whole pixels. The strength is the share of the
    area that is cut away, relative to the largest.
    """

    scale: tuple[float, float]
    ratio: tuple[float, float]
    identity: tuple[float, ...] | Tensor = (0.0, 0.0, 1.0, 1.0)

    def draw(self, count: int, generator: Generator) -> Tensor:
        """Draw boxes; see Parameters."""
        area, ratio = self._attempts(count, generator)
        first_fit = ((area * ratio <= 1) & (area / ratio <= 1)).int().argmax(dim=1, keepdim=True)
        return _place(area.gather(1, first_fit)[:, 0], ratio.gather(1, first_fit)[:, 0], generator)

    def at(self, level: float, count: int, generator: Generator) -> Tensor:
        """Draw boxes of one strength; see Parameters. The ratio is limited to what fits."""
        import torch

        area = torch.full((count,), 1 - level * (1 - self.scale[0]))
        return _place(area, self._ratios((count,), generator).clamp(area, 1 / area), generator)

    def strength(self, values: Tensor) -> Tensor:
        """Return the strength of boxes; see Parameters."""
        if self.scale[0] >= 1:
            return values.new_zeros(len(values))
        return ((1 - values[:, 2] * values[:, 3]) / (1 - self.scale[0])).clamp(0, 1)

    def describe(self, values: Tensor) -> Tensor:
        """Return the box's centre (x, y), width and height, as shares of the image's side."""
        import torch

        corner, size = values[:, :2], values[:, 2:]
        return torch.cat((corner + size / 2, size), dim=1)

    def _attempts(self, count: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw areas, as shares of the image's, and ratios, float32 [count, ATTEMPTS] each."""
        import torch

        low, high = self.scale
        area = low + (high - low) * torch.rand(count, ATTEMPTS, generator=generator)
        return area, self._ratios((count, ATTEMPTS), generator)

    def _ratios(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        import torch

        low, high = torch.tensor(self.ratio).log()
        return (low + (high - low) * torch.rand(shape, generator=generator)).exp()


def _place(area: Tensor, ratio: Tensor, generator: Generator) -> Tensor:
    """Return boxes [N, 4] of the given areas and ratios at random positions; sides that would not fit are cut to the
    image's.
    """
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
    """Interpolation of crops, with antialiasing, if images stay in place and crops are cut from the original file.
    Null: as in VICReg's code, bicubic in pretraining (facebookresearch/vicreg, augmentations.py) and bilinear when a
    head is trained (evaluate.py). Crops of prepared arrays are always bilinear.
    """

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a null interpolation: results are identified by the hash of their settings, which is then as
        without the key.
        """
        return {key: value for key, value in handler(self).items() if key != "interpolation" or value is not None}

    def parameters(self, image_size: int) -> CropBox:
        """Return the parameters left, top, width and height of the box."""
        return CropBox(self.scale, self.ratio)

    def parameters_in_place(self, sizes: Tensor) -> CropBox:
        """Return the same for images of these sizes, int64 [N, 2]: width and height in pixels."""
        from mast.augment.boxes import PixelBox, central_squares

        return PixelBox(self.scale, self.ratio, central_squares(sizes), sizes=sizes)

    @staticmethod
    def undo(left: Tensor, top: Tensor, width: Tensor, height: Tensor) -> Tensor:
        """Return the map that enlarges a box, given as shares of the image's side, to the full image."""
        return affine(width, 0, 2 * left + width - 1, 0, height, 2 * top + height - 1)
