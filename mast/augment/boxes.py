"""Boxes of random resized crops in images of any shape, drawn as torchvision does, for a whole batch at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mast.augment.operations.crop import CropBox

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True)
class PixelBox(CropBox):
    """Left, top, width and height of a box of whole pixels, as shares of an image's width and height.

    The box is drawn as in torchvision's `RandomResizedCrop.get_params` (transforms/transforms.py), from the random
    numbers of `CropBox`: area and ratio are drawn again together until the box fits, at most `ATTEMPTS` times. After
    that it is the largest central box of an allowed ratio. The identity of each row is the central square.
    """

    sizes: Tensor = field(kw_only=True)
    """Width and height of each image in pixels, int64 [N, 2]."""

    def draw(self, count: int, generator: Generator) -> Tensor:
        """Draw one box for each of the N images; see Parameters."""
        import torch

        area, ratio = (values.double() for values in self._attempts(count, generator))
        corner = torch.rand(count, 2, generator=generator).double()
        whole = self.sizes.double()
        pixels = area * whole.prod(dim=1, keepdim=True)
        sides = torch.stack(((pixels * ratio).sqrt(), (pixels / ratio).sqrt()), dim=2).round()
        fits = ((sides > 0) & (sides <= whole.unsqueeze(1))).all(dim=2)
        found, first = fits.any(dim=1, keepdim=True), fits.int().argmax(dim=1)
        side = torch.where(found, sides[torch.arange(count), first], self._largest(whole))
        left_over = whole - side
        anywhere = (corner * (left_over + 1)).floor().minimum(left_over)
        place = torch.where(found, anywhere, (left_over / 2).floor())
        return torch.cat((place / whole, side / whole), dim=1).float()

    def _largest(self, whole: Tensor) -> Tensor:
        """Return the sides [N, 2] of the largest box whose ratio is allowed."""
        import torch

        width, height = whole.unbind(1)
        low, high = self.ratio
        sides = width.minimum((height * high).round()), height.minimum((width / low).round())
        return torch.stack(sides, dim=1).clamp(min=1)


def central_squares(sizes: Tensor) -> Tensor:
    """Return boxes [N, 4] of the central squares of images of these sizes, int64 [N, 2]; not rounded to pixels."""
    import torch

    whole = sizes.double()
    side = whole.amin(dim=1, keepdim=True)
    return torch.cat(((whole - side) / 2 / whole, side / whole), dim=1).float()
