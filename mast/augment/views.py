"""The views of a batch: how each is augmented, and the pixels that it is made from."""

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
    """How each of N images is augmented in each of V views."""

    params: tuple[Params, ...]
    """Of the V views, those of all processes' images."""
    active: Tensor | None = None
    """Of pairs, bool [N, K] on the CPU: True where augmentation k does something else to one view than to the other."""

    @classmethod
    def of_pair(cls, pair: Pair) -> Drawn:
        """Two views."""
        return cls((pair.a, pair.b), pair.active)

    def boxes(self, rows: slice) -> np.ndarray:
        """Whether and where each view crops these images, float32 [V, B, 5]: what `mast.data.crops` cuts."""
        return np.stack([params["crop"][rows].numpy() for params in self.params])


@dataclass(frozen=True)
class View:
    """One view of each image of this process."""

    images: Tensor
    """[N, 3, S, S] on any device, uint8, or float in [0, 1]."""
    params: Params
    """How they are augmented, of all processes' images."""
    cropped: bool = False
    """Whether the images are the crops that `params` name already."""

    def augmented(self, policy: Policy, rows: slice) -> Tensor:
        """The view, float32 [N, 3, S, S] in [0, 1]; `rows` are those of this process among all."""
        return policy.apply(self.images, self.to_apply(policy, rows))

    def to_apply(self, policy: Policy, rows: slice) -> Params:
        """What is left to do to the images, from all that this view's parameters name."""
        own = {name: values[rows] for name, values in self.params.items()}
        if self.cropped:
            own["crop"] = policy.identity(len(self.images))["crop"]
        return own


@dataclass(frozen=True)
class Views:
    """The V views of a batch, in the order of `Drawn`; iterating gives each."""

    each: tuple[View, ...]
    active: Tensor | None
    """See `Drawn`."""

    @classmethod
    def of(cls, images: Tensor, drawn: Drawn) -> Views:
        """Views of images that are the same for all of them, [N, 3, S, S], or of V crops of each, [V, N, 3, S, S]."""
        if images.dim() == 4:
            planes = unit_float(images)  # once for all views
            return cls(tuple(View(planes, params) for params in drawn.params), drawn.active)
        each = (View(crops, params, cropped=True) for crops, params in zip(images, drawn.params, strict=True))
        return cls(tuple(each), drawn.active)

    def __iter__(self) -> Iterator[View]:
        """Each view."""
        return iter(self.each)
