"""Conversion of images, masks and boxes before and after a detector, as in detectron2."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate
from torchvision.models.detection.transform import GeneralizedRCNNTransform, resize_boxes

LEVELS = 255
"""Largest value of a pixel before it is scaled to [0, 1]."""


class ReferenceTransform(GeneralizedRCNNTransform):
    """Resize as Pillow does, with antialiasing and to whole grey levels, and pad no more than a batch needs.

    torchvision's own transform has no antialiasing, rounds sizes down, and pads to multiples of 32 pixels. Detected
    masks are mapped to their images by interpolation at the pixels' centres; torchvision first rounds their boxes to
    pixels. Sources: detectron2, data/transforms/augmentation_impl.py, ResizeShortestEdge; fvcore's transforms;
    layers/mask_ops.py.
    """

    def __init__(self, min_size: int, max_size: int, mean: list[float], std: list[float]) -> None:
        """Set short side, largest long side, and normalisation of images in [0, 1]."""
        super().__init__(min_size, max_size, mean, std, size_divisible=1)

    def normalize(self, image: Tensor) -> Tensor:
        """Return the image unchanged: `resize` normalises after resizing."""
        return image

    def resize(self, image: Tensor, target: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor] | None]:
        """Resize image [3, H, W] in [0, 1] to [3, h, w], normalised, with its boxes and its masks [n, H, W]."""
        short = self.torch_choice(self.min_size) if self.training else self.min_size[-1]
        old = image.shape[-2:]
        new = resized(old, short, self.max_size)
        image = super().normalize(_resampled(image, new))
        if target is not None:
            target["boxes"] = resize_boxes(target["boxes"], old, new)
            if "masks" in target:
                masks = interpolate(target["masks"][:, None].float(), new, mode="nearest-exact")
                target["masks"] = masks[:, 0].to(torch.uint8)
        return image, target

    def postprocess(
        self,
        result: list[dict[str, Tensor]],
        image_shapes: list[tuple[int, int]],
        original_image_sizes: list[tuple[int, int]],
    ) -> list[dict[str, Tensor]]:
        """Return boxes and masks in pixels of the original images; masks are probabilities [n, 1, H, W]."""
        masks = [found.pop("masks", None) for found in result]
        result = super().postprocess(result, image_shapes, original_image_sizes)
        for found, mask, size in zip(result, masks, original_image_sizes, strict=False):
            if mask is not None:
                found["masks"] = pasted(mask, found["boxes"], size)
        return result


def _resampled(image: Tensor, new: tuple[int, int]) -> Tensor:
    """Resample an image in [0, 1] to `new` height and width: first rows, then columns, rounded after each."""
    if new == image.shape[1:]:
        return image
    levels = LEVELS * image[None]
    for size in ((image.shape[1], new[1]), new):
        levels = interpolate(levels, size, mode="bilinear", antialias=True).add(0.5).floor()
    return levels[0] / LEVELS


def resized(size: tuple[int, int], short: int, longest: int) -> tuple[int, int]:
    """Return height and width of an image whose short side becomes `short`, unless its long side would exceed
    `longest`.
    """
    sides = [short / min(size) * side for side in size]
    if max(sides) > longest:
        sides = [longest / max(sides) * side for side in sides]
    height, width = (int(side + 0.5) for side in sides)
    return height, width


def pasted(masks: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return masks of boxes as masks of the image.

    Args:
        masks: [n, 1, m, m], probabilities.
        boxes: [n, 4], x1, y1, x2, y2 in pixels.
        size: height and width of the image.

    Returns:
        [n, 1, H, W]: the mask's value at the centre of each pixel, 0 outside its box.
    """
    y, x = (torch.arange(side, device=masks.device, dtype=boxes.dtype) + 0.5 for side in size)
    images = masks.new_zeros(len(masks), 1, *size)
    for image, mask, (left, top, right, bottom) in zip(images, masks, boxes, strict=True):
        across, down = 2 * (x - left) / (right - left) - 1, 2 * (y - top) / (bottom - top) - 1
        grid = torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=-1)
        image.copy_(grid_sample(mask[None], grid[None].to(mask), align_corners=False)[0])
    return images
