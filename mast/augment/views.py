"""Views of a batch: how each is augmented, and the pixels that it is made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mast.augment.policy import Params, Policy, unit_float

if TYPE_CHECKING:
    from torch import Tensor

    from mast.augment.pairing import Pair


@dataclass(frozen=True)
class Drawn:
    """Augmentation of each of N images in each of V views."""

    params: tuple[Params, ...]
    """Parameters of the V views, for the images of all processes."""
    active: Tensor | None = None
    """For pairs, bool [N, K] on the CPU: True where augmentation k differs between the two views."""

    @classmethod
    def of_pair(cls, pair: Pair) -> Drawn:
        """Build the two views of a pair."""
        return cls((pair.a, pair.b), pair.active)

    def boxes(self, rows: slice) -> np.ndarray:
        """Return whether and where each view crops these images, float32 [V, B, 5], as `mast.data.crops` needs it."""
        return np.stack([params["crop"][rows].numpy() for params in self.params])


@dataclass(frozen=True)
class View:
    """One view of each image of this process."""

    images: Tensor
    """Images [N, 3, S, S] on any device, uint8, or float in [0, 1]."""
    params: Params
    """Parameters of their augmentation, for the images of all processes."""
    cropped: bool = False
    """Whether the images are already the crops in `params`."""

    def augmented(self, policy: Policy, rows: slice) -> Tensor:
        """Return the view, float32 [N, 3, S, S] in [0, 1]; `rows` are those of this process among all."""
        return policy.apply(self.images, self.to_apply(policy, rows))

    def to_apply(self, policy: Policy, rows: slice) -> Params:
        """Return the parameters that still have to be applied to the images."""
        own = {name: values[rows] for name, values in self.params.items()}
        if self.cropped:
            own["crop"] = policy.identity(len(self.images))["crop"]
        return own


@dataclass(frozen=True)
class Views:
    """The V views of a batch, in the order of `Drawn`; iterating yields each."""

    each: tuple[View, ...]
    active: Tensor | None
    """Where augmentations differ; see `Drawn`."""

    @classmethod
    def of(cls, images: Tensor, drawn: Drawn) -> Views:
        """Build views of images shared by all views, [N, 3, S, S], or of V crops of each, [V, N, 3, S, S]."""
        if images.dim() == 4:
            planes = unit_float(images)  # converted once for all views
            return cls(tuple(View(planes, params) for params in drawn.params), drawn.active)
        each = (View(crops, params, cropped=True) for crops, params in zip(images, drawn.params, strict=True))
        return cls(tuple(each), drawn.active)

    def __iter__(self) -> Iterator[View]:
        """Iterate over the views."""
        return iter(self.each)
