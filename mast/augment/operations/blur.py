"""Gaussian blur."""

from typing import Annotated

from pydantic import AfterValidator, Field

from mast.augment.operations import HALF_LEVEL, Ordered, Photometric, Tensor, ViewProbability
from mast.augment.parameters import Uniform
from mast.settings import Positive

BOXES = 3
"""Number of successive box blurs in Pillow's Gaussian blur (src/libImaging/BoxBlur.c)."""


def _odd(taps: int) -> int:
    if taps % 2 == 0:
        raise ValueError("the number of taps is odd; choose one more or one less")
    return taps


class Blur(Photometric):
    """Gaussian blur as in Pillow and VICReg, or with `kernel` as in torchvision and AugSelf."""

    place = 95  # after grayscale and before solarize, as in facebookresearch/vicreg, augmentations.py
    probability: ViewProbability = 0.5
    sigma: Annotated[tuple[Positive, Positive], Ordered] = (0.1, 2.0)
    """Range of the standard deviation, pixels at `reference_size`."""
    reference_size: Positive = 224
    """Image side for which `sigma` and `kernel` are given; both are scaled in proportion to the actual side."""
    kernel: Annotated[int, Field(ge=3), AfterValidator(_odd)] | None = None
    """Number of taps, odd, at which a sampled Gaussian is cut off (AugSelf: 9 at 96 pixels, 23 at 224). The cut kernel
    is narrower than `sigma`. Null: Pillow's kernel, whose standard deviation is exactly `sigma`.
    """

    def parameters(self, image_size: int) -> Uniform:
        """Return the range of sigma in pixels of the actual images."""
        pixels = image_size / self.reference_size
        return Uniform.of_one((self.sigma[0] * pixels, self.sigma[1] * pixels), identity=0.0)

    def differ(self, a: Tensor, b: Tensor, image_size: int) -> Tensor:
        """Return where the blur is visible; see Augmentation. A narrow kernel of variance v takes 2v from a bright
        pixel on black.
        """
        variances = [self._variance(rows[:, 1], image_size) for rows in (a, b)]
        return 2 * (variances[0] - variances[1]).abs() >= HALF_LEVEL

    def change(self, images: Tensor, sigma: Tensor) -> Tensor:
        """Blur with `sigma` ≥ 0 in pixels; the image is mirrored at its edges.

        Without `kernel` it equals Pillow's `GaussianBlur`, except that Pillow repeats the pixels at the edges instead
        of mirroring them, and rounds to 8 bits after each box.
        """
        import torch

        height, width = images.shape[2:]
        columns = _matrices(self._taps(sigma, height))
        rows = columns if width == height else _matrices(self._taps(sigma, width))
        blurred_rows = (images.flatten(1, 2) @ rows.transpose(1, 2)).view_as(images)
        return torch.stack([columns @ channel for channel in blurred_rows.unbind(1)], dim=1).clamp_(0, 1)

    def _taps(self, sigma: Tensor, side: int) -> Tensor:
        """Return weights [N, 2 · side − 1] of pixels at the distances 0, 1, …, not normalised."""
        return pillow_taps(sigma, side) if self.kernel is None else gaussian_taps(sigma, self._reach(side), side)

    def _variance(self, sigma: Tensor, side: int) -> Tensor:
        """Return the variance of the kernel, square pixels, [N]."""
        import torch

        if self.kernel is None:
            return sigma.square()
        reach = self._reach(side)
        taps = gaussian_taps(sigma, reach, reach + 1)[:, : reach + 1]
        distance = torch.arange(reach + 1, device=sigma.device)
        return 2 * taps @ distance.square().float() / (2 * taps.sum(dim=1) - taps[:, 0])

    def _reach(self, side: int) -> int:
        return round(self.kernel // 2 * side / self.reference_size)


def gaussian_taps(sigma: Tensor, reach: int, side: int) -> Tensor:
    """Sample a Gaussian at the distances 0…2 · side − 2, 0 beyond `reach`; float32 [N, 2 · side − 1]."""
    import torch

    distance = torch.arange(2 * side - 1, device=sigma.device, dtype=torch.float32)
    return torch.exp(-0.5 * (distance / sigma.clamp(min=1e-3).unsqueeze(1)) ** 2) * (distance <= reach)


def pillow_taps(sigma: Tensor, side: int) -> Tensor:
    """Return Pillow's kernel at the distances 0…2 · side − 2: a box that may end within a pixel, convolved with itself.

    Gwosdek et al. 2011, equations 7, 11 and 14: the box's radius is a whole number plus a share of one more pixel at
    both ends, chosen so that `BOXES` boxes have the variance sigma². Returns float32 [N, 2 · side − 1].
    """
    import torch

    variance = sigma.square() / BOXES
    whole = (((12 * variance + 1).sqrt() - 1) / 2).floor()
    share = (2 * whole + 1) * (3 * variance - whole * (whole + 1)) / (6 * ((whole + 1) ** 2 - variance))
    radius = (whole + share).clamp(max=side).unsqueeze(1)  # a wider one averages over the whole image anyway
    circle = 1 << (6 * side).bit_length()  # long enough that the wrapped-around part stays beyond the taps
    distance = torch.arange(circle, device=sigma.device, dtype=torch.float32)
    box = (radius + 1 - torch.minimum(distance, circle - distance)).clamp(0, 1) / (2 * radius + 1)
    taps = torch.fft.irfft(torch.fft.rfft(box) ** BOXES, n=circle)[:, : 2 * side - 1]
    return taps * (distance[: 2 * side - 1] <= BOXES * radius.ceil())


def _matrices(taps: Tensor) -> Tensor:
    """Return matrices [N, S, S] that blur a line of S pixels, from taps [N, 2 · S − 1], mirrored at both ends."""
    import torch

    size = (taps.shape[1] + 1) // 2
    both_sides = torch.cat((taps[:, 1:size].flip(1), taps[:, :size]), dim=1)
    matrices = both_sides.unfold(1, size, 1).flip(1)
    mirrored = taps.unfold(1, size, 1)
    matrices[:, :, 1:] += mirrored[:, :, 1:]
    matrices[:, :, :-1] += mirrored.flip(1, 2)[:, :, :-1]
    return matrices.div_(matrices.sum(dim=2, keepdim=True))
