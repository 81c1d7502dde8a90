"""Geometric augmentations: one affine map per image, sampled once.

Each function below gives the map that *undoes* one augmentation: it takes the normalised coordinates of an output
pixel (x to the right, y down, [-1, 1] over the whole square image) to where its value is found in the input. The maps
of augmentations applied in the order 1, 2, …, K compose to `M1 @ M2 @ … @ MK`. All take and return float32 tensors on
one device: parameters [N], maps [N, 3, 3]. Directions are those of `torchvision.transforms.v2.functional`; shears keep
the centre in place, where torchvision's RandAugment keeps the upper left corner.
"""

import torch
from torch import Tensor
from torch.nn import functional

_ROUNDING = 1e-5
"""Coordinates this far beyond the edge still count as within the image."""


def crop(left: Tensor, top: Tensor, width: Tensor, height: Tensor) -> Tensor:
    """Map of the crop of a box, given as shares of the image's side, blown up to the full image."""
    zero, one = torch.zeros_like(left), torch.ones_like(left)
    return _matrix(
        (width, zero, 2 * left + width - 1),
        (zero, height, 2 * top + height - 1),
        (zero, zero, one),
    )


def flip(applied: Tensor) -> Tensor:
    """Map of a horizontal flip where `applied` is 1, and of the identity where it is 0."""
    zero, one = torch.zeros_like(applied), torch.ones_like(applied)
    return _matrix((1 - 2 * applied, zero, zero), (zero, one, zero), (zero, zero, one))


def rotate(degrees: Tensor) -> Tensor:
    """Map of a counter-clockwise rotation about the centre."""
    angle = torch.deg2rad(degrees)
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return _matrix((cos, -sin, zero), (sin, cos, zero), (zero, zero, one))


def shear_x(factor: Tensor) -> Tensor:
    """Map of a shear along x about the centre; `factor` is the tangent, positive moves the upper half right."""
    zero, one = torch.zeros_like(factor), torch.ones_like(factor)
    return _matrix((one, factor, zero), (zero, one, zero), (zero, zero, one))


def shear_y(factor: Tensor) -> Tensor:
    """Map of a shear along y about the centre; `factor` is the tangent, positive moves the left half down."""
    zero, one = torch.zeros_like(factor), torch.ones_like(factor)
    return _matrix((one, zero, zero), (factor, one, zero), (zero, zero, one))


def translate_x(fraction: Tensor) -> Tensor:
    """Map of a shift to the right by a share of the side."""
    zero, one = torch.zeros_like(fraction), torch.ones_like(fraction)
    return _matrix((one, zero, -2 * fraction), (zero, one, zero), (zero, zero, one))


def translate_y(fraction: Tensor) -> Tensor:
    """Map of a shift down by a share of the side."""
    zero, one = torch.zeros_like(fraction), torch.ones_like(fraction)
    return _matrix((one, zero, zero), (zero, one, -2 * fraction), (zero, zero, one))


def leaves_image(maps: Tensor) -> Tensor:
    """Whether a map [N, 3, 3] takes any output pixel from beyond the image, bool [N]."""
    return maps[:, :2].abs().sum(dim=2).amax(dim=1) > 1 + _ROUNDING


def warp(images: Tensor, maps: Tensor, beyond: bool = True) -> Tensor:
    """Sample float images [N, 3, S, S] bilinearly at the places that `maps` [N, 3, 3] name; black beyond the image.

    Crops are sampled bilinearly too, where VICReg's are bicubic. What lies beyond a crop's box but within the image is
    seen, where torchvision's separate steps show black or repeat the box's edge. A crop never shrinks, for its box fits
    into the image, so there is nothing to antialias: torchvision's `resized_crop` to the image's size gives the same
    with and without `antialias`. `beyond=False` spares the search for pixels beyond the image where no map leaves it.
    """
    centres = (2 * torch.arange(images.shape[-1], device=maps.device) + 1) / images.shape[-1] - 1
    along_row = maps[:, :2, 0:1] * centres
    along_column = maps[:, :2, 1:2] * centres + maps[:, :2, 2:3]
    sources = along_row.unsqueeze(2) + along_column.unsqueeze(3)  # as affine_grid, with one plane for x and one for y
    grid = sources.permute(0, 2, 3, 1)
    sampled = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if beyond:
        sampled.mul_(sources.abs_().amax(dim=1, keepdim=True).le_(1 + _ROUNDING))
    return sampled.clamp_(max=1)


def _matrix(*rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
