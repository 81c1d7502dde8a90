"""Affine maps of images, and their sampling in one pass.

A map *undoes* an augmentation: it takes the normalised coordinates of an output pixel (x to the right, y down, [-1, 1]
over the whole square image) to where its value is found in the input. The maps of augmentations applied in the order
1, 2, …, K compose to `M1 @ M2 @ … @ MK`. Directions are those of `torchvision.transforms.v2.functional`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_ROUNDING = 1e-5
"""Coordinates this far beyond the edge still count as within the image."""


def affine(*entries: Tensor | float) -> Tensor:
    """Maps [N, 3, 3] from the six entries of their upper two rows: xx, xy, x, yx, yy, y.

    Each is float32 [N] or one number for all images; at least one is a tensor.
    """
    import torch

    like = next(entry for entry in entries if torch.is_tensor(entry))
    filled = [entry if torch.is_tensor(entry) else torch.full_like(like, entry) for entry in (*entries, 0, 0, 1)]
    return torch.stack(filled, dim=-1).view(-1, 3, 3)


def leaves_image(maps: Tensor) -> Tensor:
    """Whether a map [N, 3, 3] takes any output pixel from beyond the image, bool [N]."""
    return maps[:, :2].abs().sum(dim=2).amax(dim=1) > 1 + _ROUNDING


def warp(images: Tensor, maps: Tensor, beyond: bool = True) -> Tensor:
    """Sample float images [N, 3, S, S] bilinearly at the places that `maps` [N, 3, 3] name; black beyond the image.

    Crops of prepared arrays are sampled bilinearly too, where VICReg's are bicubic; those of files are cut before
    (`mast.data.crops`). What lies beyond a crop's box but within the image is seen, where torchvision's separate steps
    show black or repeat the box's edge. A crop never shrinks, for its box fits into the image, so there is nothing to
    antialias: torchvision's `resized_crop` to the image's size gives the same with and without `antialias`.
    `beyond=False` spares the search for pixels beyond the image where no map leaves it.
    """
    import torch
    from torch.nn import functional

    centres = (2 * torch.arange(images.shape[-1], device=maps.device) + 1) / images.shape[-1] - 1
    along_row = maps[:, :2, 0:1] * centres
    along_column = maps[:, :2, 1:2] * centres + maps[:, :2, 2:3]
    sources = along_row.unsqueeze(2) + along_column.unsqueeze(3)  # as affine_grid, with one plane for x and one for y
    grid = sources.permute(0, 2, 3, 1)
    sampled = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if beyond:
        sampled.mul_(sources.abs_().amax(dim=1, keepdim=True).le_(1 + _ROUNDING))
    return sampled.clamp_(max=1)
