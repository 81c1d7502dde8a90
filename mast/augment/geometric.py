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


def warp(images: Tensor, maps: Tensor) -> Tensor:
    """Sample float images [N, 3, S, S] bilinearly at the places that `maps` [N, 3, 3] name; black beyond the image.

    Crops are sampled bilinearly too, where VICReg's are bicubic. What lies beyond a crop's box but within the image is
    seen, where torchvision's separate steps show black or repeat the box's edge. A crop never shrinks, for its box fits
    into the image, so there is nothing to antialias: torchvision's `resized_crop` to the image's size gives the same
    with and without `antialias`.
    """
    grid = functional.affine_grid(maps[:, :2], list(images.shape), align_corners=False)
    sampled = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    x, y = grid.abs_().unbind(-1)
    inside = (x <= 1 + 1e-5) & (y <= 1 + 1e-5)
    return sampled.mul_(inside.unsqueeze(1)).clamp_(max=1)


def _matrix(*rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
