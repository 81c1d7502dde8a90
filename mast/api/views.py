"""Pairs of views for your own training loops."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from mast.api.encoder import check_dtype
from mast.augment.pairing import draw_pair
from mast.augment.policy import Policy, unit_float
from mast.augment.settings import PairingSpec, PolicySpec
from mast.augment.transfer import send
from mast.models.encoder import normalise

BEYOND = 0.5
"""Distance by which values may be outside [0, 1], as bicubic resizing overshoots."""


class Views(NamedTuple):
    """Two views of each of N images, and how they differ."""

    a: Tensor
    """View a, float32 [N, 3, S, S], normalised, in the memory format `channels_last`."""
    b: Tensor
    """View b, like `a`."""
    active: Tensor
    """bool [N, K]: True where augmentation k differs between the two views of an image."""


class PairedAugmentation:
    """Augment a batch twice; the two views differ in a known subset of the augmentations (docs/understand/method.md).

    Views are computed in batches on the images' device; random numbers are drawn on the CPU.

    >>> import torch, mast
    >>> pairs = mast.PairedAugmentation(32, augmentations=("crop", "flip", "jitter"))
    >>> a, b, active = pairs(torch.zeros(8, 3, 32, 32, dtype=torch.uint8))
    >>> a.shape, active.shape, pairs.names
    (torch.Size([8, 3, 32, 32]), torch.Size([8, 3]), ('crop', 'flip', 'jitter'))

    Attributes:
        names: the K augmentations, in the order of application and of the columns of `Views.active`.
    """

    def __init__(
        self,
        image_size: int,
        augmentations: str | Sequence[str] = "mast5",
        *,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        pairing: Mapping[str, Any] | None = None,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
    ) -> None:
        """Build the augmentation. Settings have the keys of a configuration (config/README.md).

        Args:
            image_size: S, the side of the images, pixels.
            augmentations: a named set (`mast5`, `vicreg`, `mast15`) or names of augmentations.
            settings: settings of single augmentations, such as `{"crop": {"scale": (0.2, 1.0)}}`.
            pairing: which augmentations differ (`mixture`, `groups`, `subset_probability`); by default each is drawn
                anew for view b with probability 0.75.
            mean: mean of the training images per channel, in [0, 1]; by default ImageNet's.
            std: standard deviation of the training images per channel; by default ImageNet's.

        Raises:
            ValueError: a setting is unknown or out of its range.
        """
        if image_size < 1:
            raise ValueError(f"image_size: {image_size}; expected 1 or more")
        if "augmentations" in (settings or {}):
            raise ValueError("settings: pass augmentations as its own argument")
        if len(mean) != 3 or len(std) != 3 or not all(value > 0 for value in std):
            raise ValueError(
                f"mean, std: {tuple(mean)}, {tuple(std)}; expected three numbers each, those of std above 0"
            )
        chosen = augmentations if isinstance(augmentations, str) else tuple(augmentations)
        self._policy = Policy(PolicySpec(augmentations=chosen, **(settings or {})), image_size)
        self._pairing = PairingSpec(**(pairing or {}))
        self._mean, self._std = (torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1) for values in (mean, std))
        self.names: tuple[str, ...] = self._policy.names
        self._seen = False

    def __call__(self, images: Tensor, generator: Generator | None = None) -> Views:
        """Draw two views of each image.

        Args:
            images: [N, 3, S, S] on any device, uint8, or floating in [0, 1]. The values of the first batch are checked.
            generator: random generator on the CPU; by default torch's global one, which `torch.manual_seed` seeds.

        Raises:
            ValueError: the images have another shape or dtype, or values far outside [0, 1].
        """
        check_dtype(images)
        if not self._seen and images.is_floating_point() and len(images):
            low, high = (float(end) for end in images.aminmax())
            if not -BEYOND <= low <= high <= 1 + BEYOND:
                raise ValueError(f"images: values from {low:g} to {high:g}; expected uint8, or floating in [0, 1]")
        self._seen = True
        images = unit_float(images)
        pair = draw_pair(self._policy, self._pairing, len(images), generator or torch.default_generator)
        mean, std, active = send([self._mean, self._std, pair.active], images.device)
        a, b = (normalise(self._policy.apply(images, view), mean, std) for view in (pair.a, pair.b))
        a, b = (view.contiguous(memory_format=torch.channels_last) for view in (a, b))
        return Views(a, b, active)
