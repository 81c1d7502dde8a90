"""Photometric augmentations of float32 images [N, 3, H, W] in [0, 1], each with its own strength per image.

Every function is pure, keeps shape and range, takes its parameters as tensors [N] on the images' device and never waits
for the device. Results equal those of the function of the same name in `torchvision.transforms.v2.functional`, applied
image by image, unless the docstring says otherwise.
"""

import torch
from torch import Tensor

LUMA = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601, rounded as torchvision's `rgb_to_grayscale` does)."""


def jitter(images: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor) -> Tensor:
    """Colour jitter in the fixed order of its arguments; torchvision's `ColorJitter` draws the order at random."""
    images = adjust_brightness(images, brightness)
    _contrast_(images, contrast)
    _saturation_(images, saturation)
    return adjust_hue(images, hue)


def adjust_brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply by a factor ≥ 0."""
    return images.mul(_per_image(factor)).clamp_(max=1)


def adjust_hue(images: Tensor, shift: Tensor) -> Tensor:
    """Turn the hue (of HSV) by a share of the colour circle, -0.5…0.5.

    In sectors of 60°, a hue's distance from red is 2 + (G + B − R − max)/(max − min), on green's side where G ≥ B; and
    a channel lies below the maximum by max − min times how far, from 0 at 60° to 1 at 120°, the hue is from its own.
    """
    red, green, blue = images.unbind(1)
    value = images.amax(dim=1)
    chroma = value - images.amin(dim=1)
    from_red = (green + blue).sub_(red).sub_(value).div_(chroma.clamp(min=1e-12)).add_(2)
    sector = from_red.copysign_(green - blue).add_(6 * shift.view(-1, 1, 1))
    sector -= sector.div(6).floor_().mul_(6)
    above_minimum = torch.stack(((sector - 3).abs_() - 1, 2 - (sector - 2).abs_(), 2 - (sector - 4).abs_()), dim=1)
    return above_minimum.clamp_(0, 1).sub_(1).mul_(chroma.unsqueeze(1)).add_(value.unsqueeze(1))


def grayscale(images: Tensor) -> Tensor:
    """Luma in all three channels."""
    return _luma(images).unsqueeze(1).expand_as(images).contiguous()


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Keep the `bits` (1…8) high bits of each channel's 8-bit value, as torchvision does to uint8 images."""
    step = _per_image(2.0 ** (8 - bits))
    return _to_levels(images).div_(step).floor_().mul_(step).div_(255)


def solarize(images: Tensor, threshold: Tensor) -> Tensor:
    """Invert the values at or above a threshold in [0, 1]."""
    return images.sub((images >= _per_image(threshold)).float()).abs_()


def equalize(images: Tensor) -> Tensor:
    """Equalise the histogram of each channel's 8-bit values, as torchvision (and Pillow) does to uint8 images."""
    levels = _to_levels(images).flatten(2).long()
    histogram = torch.zeros(*levels.shape[:2], 256, dtype=torch.long, device=images.device)
    histogram.scatter_add_(2, levels, torch.ones_like(levels))
    brightest = histogram.gather(2, levels.amax(dim=2, keepdim=True))
    step = (levels.shape[2] - brightest) // 255
    below = histogram.cumsum(dim=2) - histogram
    table = ((below + step // 2) // step.clamp(min=1)).clamp_(max=255)
    equalized = table.gather(2, levels).float().div_(255).view_as(images)
    return torch.where(step.unsqueeze(3) == 0, images, equalized)


def autocontrast(images: Tensor) -> Tensor:
    """Stretch each channel to the full range; a constant channel stays."""
    low = images.amin(dim=(2, 3), keepdim=True)
    span = images.amax(dim=(2, 3), keepdim=True) - low
    constant = span == 0
    return images.sub(low.masked_fill(constant, 0)).div_(span.masked_fill(constant, 1)).clamp_(0, 1)


def sharpness(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with a copy smoothed by (1 1 1, 1 5 1, 1 1 1) / 13; factor 0 is the copy, 1 the image, 2 sharpened.

    The outermost pixels stay. torchvision's `adjust_sharpness`.
    """
    if min(images.shape[2:]) < 3:
        return images.clone()
    inner = images[:, :, 1:-1, 1:-1]
    smooth_minus_inner = _three_wide(_three_wide(images, 2), 3).sub_(inner, alpha=9).div_(13)
    result = images.clone()
    result[:, :, 1:-1, 1:-1] += smooth_minus_inner.mul_(1 - _per_image(factor))
    return result.clamp_(0, 1)


ONE_TAP = 1 / 8
"""Below this `sigma` the kernel of `blur` is a single tap, which changes nothing."""


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur; `sigma` ≥ 0 in pixels, the kernel cut off at 4 sigma, the image mirrored at its edges.

    torchvision's `gaussian_blur` with kernel size 2 * floor(4 sigma + 0.5) + 1.
    """
    height, width = images.shape[2:]
    columns = _blur_matrices(height, sigma)
    rows = columns if width == height else _blur_matrices(width, sigma)
    blurred_rows = (images.flatten(1, 2) @ rows.transpose(1, 2)).view_as(images)
    return torch.stack([columns @ channel for channel in blurred_rows.unbind(1)], dim=1).clamp_(0, 1)


def _contrast_(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the image's mean luma, in place; factor ≥ 0, 1 is the image."""
    mean = images.mean(dim=(2, 3)) @ images.new_tensor(LUMA)
    return images.mul_(_per_image(factor)).add_(_per_image((1 - factor) * mean)).clamp_(0, 1)


def _saturation_(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the luma of each pixel, in place; factor ≥ 0, 1 is the image."""
    gray = _luma(images).mul_((1 - factor).view(-1, 1, 1))
    return images.mul_(_per_image(factor)).add_(gray.unsqueeze(1)).clamp_(0, 1)


def _blur_matrices(size: int, sigma: Tensor) -> Tensor:
    """The blur of a line of pixels as matrices [N, size, size]: direct taps and those from both mirror images."""
    distance = torch.arange(2 * size - 1, device=sigma.device, dtype=torch.float32)
    sigma = sigma.clamp(min=1e-3).unsqueeze(1)
    taps = torch.exp(-0.5 * (distance / sigma) ** 2) * (distance <= torch.floor(4 * sigma + 0.5))
    both_sides = torch.cat((taps[:, 1:size].flip(1), taps[:, :size]), dim=1)
    matrices = both_sides.unfold(1, size, 1).flip(1)
    mirrored = taps.unfold(1, size, 1)
    matrices[:, :, 1:] += mirrored[:, :, 1:]
    matrices[:, :, :-1] += mirrored.flip(1, 2)[:, :, :-1]
    return matrices.div_(matrices.sum(dim=2, keepdim=True))


def _three_wide(images: Tensor, dim: int) -> Tensor:
    """Sums of three neighbours along a dimension, which gets shorter by two."""
    size = images.shape[dim] - 2
    return images.narrow(dim, 0, size).add(images.narrow(dim, 1, size)).add_(images.narrow(dim, 2, size))


def _luma(images: Tensor) -> Tensor:
    red, green, blue = images.unbind(1)
    return (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def _to_levels(images: Tensor) -> Tensor:
    return images.mul(255).round_()


def _per_image(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)
