"""Gaussian blur."""

from typing import Annotated

from mast.augment.operations import Ordered, Photometric, Tensor, ViewProbability
from mast.augment.parameters import Uniform
from mast.settings import Positive

ONE_TAP = 1 / 8
"""Below this sigma, pixels, the kernel is a single tap, which changes nothing."""


class Blur(Photometric):
    """Gaussian blur."""

    place = 150
    probability: ViewProbability = 0.5
    sigma: Annotated[tuple[Positive, Positive], Ordered] = (0.1, 2.0)
    """Range of the standard deviation, pixels at `reference_size`."""
    reference_size: Positive = 224
    """Image side for which `sigma` is stated; scaled in proportion to the actual side."""

    def parameters(self, image_size: int) -> Uniform:
        """Sigma in pixels of the actual images."""
        pixels = image_size / self.reference_size
        return Uniform.of_one((self.sigma[0] * pixels, self.sigma[1] * pixels), identity=0.0)

    def acts(self, rows: Tensor) -> Tensor:
        """See Augmentation: where the kernel is wider than one tap."""
        return rows[:, 1] >= ONE_TAP

    @staticmethod
    def change(images: Tensor, sigma: Tensor) -> Tensor:
        """Blur with `sigma` ≥ 0 in pixels, the kernel cut off at 4 sigma, the image mirrored at its edges.

        torchvision's `gaussian_blur` with kernel size 2 * floor(4 sigma + 0.5) + 1.
        """
        import torch

        height, width = images.shape[2:]
        columns = _matrices(height, sigma)
        rows = columns if width == height else _matrices(width, sigma)
        blurred_rows = (images.flatten(1, 2) @ rows.transpose(1, 2)).view_as(images)
        return torch.stack([columns @ channel for channel in blurred_rows.unbind(1)], dim=1).clamp_(0, 1)


def _matrices(size: int, sigma: Tensor) -> Tensor:
    """The blur of a line of pixels as matrices [N, size, size]: direct taps and those from both mirror images."""
    import torch

    distance = torch.arange(2 * size - 1, device=sigma.device, dtype=torch.float32)
    sigma = sigma.clamp(min=1e-3).unsqueeze(1)
    taps = torch.exp(-0.5 * (distance / sigma) ** 2) * (distance <= torch.floor(4 * sigma + 0.5))
    both_sides = torch.cat((taps[:, 1:size].flip(1), taps[:, :size]), dim=1)
    matrices = both_sides.unfold(1, size, 1).flip(1)
    mirrored = taps.unfold(1, size, 1)
    matrices[:, :, 1:] += mirrored[:, :, 1:]
    matrices[:, :, :-1] += mirrored.flip(1, 2)[:, :, :-1]
    return matrices.div_(matrices.sum(dim=2, keepdim=True))
