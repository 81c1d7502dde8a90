"""A policy: augmentations in a fixed order, their parameters drawn for a whole batch, and their application."""

from collections.abc import Callable
from functools import partial, reduce

import torch
from torch import Generator, Tensor

from mast.augment import geometric
from mast.augment.settings import PolicySpec

Params = dict[str, Tensor]
"""For each augmentation float32 [N, 1 + P] on the CPU: whether it is applied (0 or 1), then its P values.

A row that is not applied, or whose values are the identity's, is 0 followed by the identity's values: so two rows of an
augmentation are equal exactly where it does the same to both images.
"""


class Policy:
    """The augmentations of `spec` for square images of `image_size` pixels.

    Attributes:
        names: the K augmentations, in the order of application.
    """

    def __init__(self, spec: PolicySpec, image_size: int) -> None:
        """Read the settings of the augmentations in use."""
        self.names = spec.names
        self.image_size = image_size
        used = {name: getattr(spec, name) for name in self.names}
        self._geometric = {name: one for name, one in used.items() if one.geometric}
        self._photometric = {name: one for name, one in used.items() if not one.geometric}
        self._parameters = {name: one.parameters(image_size) for name, one in used.items()}
        self._probability = {name: _per_view(one.probability) for name, one in used.items()}

    def sample(self, count: int, view: int, generator: Generator) -> Params:
        """Draw the parameters of `count` images for view 0 (a) or 1 (b) from a CPU generator."""
        params = {}
        for name, parameters in self._parameters.items():
            applied = torch.rand(count, generator=generator) < self._probability[name][view]
            params[name] = _rows(applied, parameters.draw(count, generator), parameters.identity)
        return params

    def identity(self, count: int) -> Params:
        """Parameters with which nothing is applied."""
        off = torch.zeros(count, dtype=torch.bool)
        return {
            name: _rows(off, torch.tensor([parameters.identity]).expand(count, -1), parameters.identity)
            for name, parameters in self._parameters.items()
        }

    def at_strength(self, name: str, level: float, count: int, generator: Generator) -> Params:
        """Parameters with which augmentation `name` alone is applied, at strength `level` in [0, 1]."""
        parameters = self._parameters[name]
        applied = torch.full((count,), level > 0)
        rows = _rows(applied, parameters.at(level, count, generator), parameters.identity)
        return self.identity(count) | {name: rows}

    def strength(self, name: str, params: Params) -> Tensor:
        """Strength of augmentation `name`, float32 [N] in [0, 1]: 0 is the identity, 1 the strongest allowed."""
        rows = params[name]
        return rows[:, 0] * self._parameters[name].strength(rows[:, 1:])

    def describe(self, name: str, params: Params) -> Tensor:
        """Augmentation `name` in numbers without a unit, float32 [N, Q] on the CPU: `describe` of its parameters.

        Of a switch, which has no parameters, whether it is on: 0 or 1.
        """
        rows = params[name]
        return rows[:, :1] if self.is_switch(name) else self._parameters[name].describe(rows[:, 1:])

    def is_switch(self, name: str) -> bool:
        """Whether augmentation `name` is on or off and has no parameters."""
        return not self._parameters[name].identity

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Augment images [N, 3, S, S], uint8 or float in [0, 1], on any device; float32 [N, 3, S, S] in [0, 1].

        A pure function of both arguments. Which images an augmentation touches is read from `params` on the CPU, so
        that it costs no more than those images need and never waits for the images' device.
        """
        if images.shape[1:] != (3, self.image_size, self.image_size):
            raise ValueError(f"images of shape {tuple(images.shape)}, but the policy is for {self.image_size} pixels")
        images = self._warp(unit_float(images), params)
        for name, one in self._photometric.items():
            rows = params[name]
            images = _on_rows(one.change, images, one.acts(rows), rows[:, 1:].unbind(1))
        return images

    def _warp(self, images: Tensor, params: Params) -> Tensor:
        """The geometric augmentations in one resampling; a new tensor."""
        if not self._geometric:
            return images.clone()
        moved = torch.stack([one.acts(params[name]) for name, one in self._geometric.items()]).any(dim=0)
        maps = reduce(torch.matmul, [one.maps(params[name]) for name, one in self._geometric.items()])
        warp = partial(geometric.warp, beyond=bool(geometric.leaves_image(maps).any()))
        return _on_rows(warp, images if moved.all() else images.clone(), moved, (maps,))


def unit_float(images: Tensor) -> Tensor:
    """Images [N, 3, H, W], uint8 or float in [0, 1], as float32 in [0, 1] with contiguous channel planes."""
    planes = images.to(torch.float32, memory_format=torch.contiguous_format)
    return planes if images.is_floating_point() else planes.div_(255)


def _on_rows(function: Callable[..., Tensor], images: Tensor, chosen: Tensor, arguments: tuple[Tensor, ...]) -> Tensor:
    """`function(images, *arguments)` for the chosen rows (bool [N] on the CPU), the others as they are."""
    rows = chosen.nonzero().squeeze(1)
    if len(rows) == 0:
        return images
    arguments = [argument[rows].to(images.device, non_blocking=True) for argument in arguments]
    if len(rows) == len(images):
        return function(images, *arguments)
    rows = rows.to(images.device, non_blocking=True)
    return images.index_copy_(0, rows, function(images.index_select(0, rows), *arguments))


def _rows(applied: Tensor, values: Tensor, identity: tuple[float, ...]) -> Tensor:
    """Parameter rows [N, 1 + P]; values that do nothing count as not applied."""
    neutral = torch.tensor(identity)
    if identity:
        applied = applied & (values != neutral).any(dim=1)
    applied = applied.unsqueeze(1)
    return torch.cat((applied.float(), torch.where(applied, values, neutral)), dim=1)


def _per_view(probability: float | tuple[float, float]) -> tuple[float, float]:
    return probability if isinstance(probability, tuple) else (probability, probability)
