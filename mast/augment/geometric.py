"""Affine maps of images, and their application in one sampling pass.

A map *undoes* an augmentation: it maps the normalised coordinates of an output pixel (x to the right, y down, [-1, 1]
over the whole square image) to the position of its value in the input. The maps of augmentations applied in the order
1, 2, …, K compose to `M1 @ M2 @ … @ MK`. Directions are those of `torchvision.transforms.v2.functional`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_ROUNDING = 1e-5
"""Distance beyond the edge at which coordinates still count as inside the image."""


def affine(*entries: Tensor | float) -> Tensor:
    """Return maps [N, 3, 3] from the six entries of their upper two rows: xx, xy, x, yx, yy, y.

    Each is float32 [N] or one number for all images; at least one is a tensor.
    """
    import torch

    like = next(entry for entry in entries if torch.is_tensor(entry))
    filled = [entry if torch.is_tensor(entry) else torch.full_like(like, entry) for entry in (*entries, 0, 0, 1)]
    return torch.stack(filled, dim=-1).view(-1, 3, 3)


def leaves_image(maps: Tensor) -> Tensor:
    """Return whether a map [N, 3, 3] reads any output pixel from outside the image, bool [N]."""
    return maps[:, :2].abs().sum(dim=2).amax(dim=1) > 1 + _ROUNDING


def warp(images: Tensor, maps: Tensor, beyond: bool = True) -> Tensor:
    """Sample float images [N, 3, S, S] bilinearly at the positions given by `maps` [N, 3, 3]; outside the image is
    black.

    Crops of prepared arrays are sampled bilinearly too, where VICReg's are bicubic; those of files are cut before
    (`mast.data.crops`). Pixels outside a crop's box but inside the image stay visible; torchvision's separate steps
    show black or repeat the box's edge there. A crop never shrinks, because its box fits into the image, so there is
    nothing to antialias: torchvision's `resized_crop` to the image's size gives the same with and without `antialias`.
    `beyond=False` skips the search for pixels outside the image, for maps that never leave it.
    """
    import torch
    from torch.nn import functional

    centres = (2 * torch.arange(images.shape[-1], device=maps.device) + 1) / images.shape[-1] - 1
    along_row = maps[:, :2, 0:1] * centres
    along_column = maps[:, :2, 1:2] * centres + maps[:, :2, 2:3]
    sources = along_row.unsqueeze(2) + along_column.unsqueeze(3)  # like affine_grid, with one plane for x and one for y
    grid = sources.permute(0, 2, 3, 1)
    sampled = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if beyond:
        sampled.mul_(sources.abs_().amax(dim=1, keepdim=True).le_(1 + _ROUNDING))
    return sampled.clamp_(max=1)
