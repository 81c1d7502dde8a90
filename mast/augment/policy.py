"""A policy: augmentations in a fixed order, with their parameters drawn for a whole batch, and their application."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import islice
from typing import Self

import torch
from torch import Generator, Tensor

from mast.augment import geometric
from mast.augment.settings import PolicySpec
from mast.augment.transfer import send

Params = dict[str, Tensor]
"""Augmentation → float32 [N, 1 + P] on the CPU: whether it is applied (0 or 1), then its P values.

A row that is not applied, or whose values change no 8-bit image, is 0 followed by the identity's values.
"""

Draws = dict[str, Tensor]
"""Augmentation → float32 [N, 1 + P] on the CPU: a number in [0, 1), and the P values of an application.

A view applies it if the number is below the view's probability.
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
        self._used = {name: getattr(spec, name) for name in self.names}
        self._geometric = {name: one for name, one in self._used.items() if one.geometric}
        self._photometric = {name: one for name, one in self._used.items() if not one.geometric}
        self._parameters = {name: one.parameters(image_size) for name, one in self._used.items()}
        self._probability = {name: _per_view(one.probability) for name, one in self._used.items()}

    def in_place(self, sizes: Tensor) -> Self:
        """Return the same policy for N images of any shape, whose sizes (width, height) are int64 [N, 2], in pixels.

        Its crops are boxes of whole pixels; an image without a crop uses its central square.
        """
        other = copy.copy(self)
        if "crop" in self.names:
            other._parameters = self._parameters | {"crop": self._used["crop"].parameters_in_place(sizes)}
        return other

    def sample(self, count: int, view: int, generator: Generator) -> Params:
        """Draw the parameters of `count` images for view 0 (a) or 1 (b) from a CPU generator."""
        return self.parameters(self.draw(count, generator), view)

    def draw(self, count: int, generator: Generator) -> Draws:
        """Draw random numbers that fix the parameters of `count` images, for either view, from a CPU generator."""
        return {
            name: torch.cat((torch.rand(count, 1, generator=generator), parameters.draw(count, generator)), dim=1)
            for name, parameters in self._parameters.items()
        }

    def parameters(self, draws: Draws, view: int) -> Params:
        """Return the parameters that draws give for view 0 (a) or 1 (b), each applied with that view's probability."""
        return {
            name: self._rows(name, drawn[:, 0] < self._probability[name][view], drawn[:, 1:])
            for name, drawn in draws.items()
        }

    def differ(self, a: Params, b: Params) -> Tensor:
        """Return whether each augmentation acts on an image differently with `a` than with `b`, bool [N, K], K ≥ 1."""
        columns = [one.differ(a[name], b[name], self.image_size) for name, one in self._used.items()]
        return torch.stack(columns, dim=1)

    def identity(self, count: int) -> Params:
        """Return parameters with which nothing is applied."""
        return {name: self._identity(name, count).clone() for name in self.names}

    def at_strength(self, name: str, level: float, count: int, generator: Generator) -> Params:
        """Return parameters with which only augmentation `name` is applied, at strength `level` in [0, 1]."""
        parameters = self._parameters[name]
        applied = torch.full((count,), level > 0)
        rows = self._rows(name, applied, parameters.at(level, count, generator))
        return self.identity(count) | {name: rows}

    def strength(self, name: str, params: Params) -> Tensor:
        """Return the strength of augmentation `name`, float32 [N] in [0, 1]: 0 is the identity, 1 the strongest
        allowed.
        """
        rows = params[name]
        return rows[:, 0] * self._parameters[name].strength(rows[:, 1:])

    def describe(self, name: str, params: Params) -> Tensor:
        """Describe augmentation `name` in numbers without a unit, float32 [N, Q] on the CPU: `describe` of its
        parameters.

        For a switch, which has no parameters, the number is 0 (off) or 1 (on).
        """
        rows = params[name]
        return rows[:, :1] if self.is_switch(name) else self._parameters[name].describe(rows[:, 1:])

    def is_switch(self, name: str) -> bool:
        """Return whether augmentation `name` is on or off and has no parameters."""
        return len(self._parameters[name].identity) == 0

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Augment images [N, 3, S, S], uint8 or float in [0, 1], on any device; return float32 [N, 3, S, S] in [0, 1].

        The result depends on the arguments only. The images that an augmentation changes are read from `params` on the
        CPU, so that only these images are computed and the host never waits for the images' device.
        """
        if images.shape[1:] != (3, self.image_size, self.image_size):
            raise ValueError(f"images of shape {tuple(images.shape)}, but the policy is for {self.image_size} pixels")
        changes = _sent([change for change in self._changes(params) if len(change.rows)], images.device)
        images = unit_float(images)
        if not changes or len(changes[0].rows) < len(images):
            images = images.clone()
        for change in changes:
            images = change.of(images)
        return images

    def _changes(self, params: Params) -> list["_Change"]:
        """Return the geometric augmentations as one resampling, then the photometric ones."""
        photometric = [(one, params[name]) for name, one in self._photometric.items()]
        changes = [_change(one.change, rows[:, 0] > 0, rows[:, 1:].unbind(1)) for one, rows in photometric]
        if not self._geometric:
            return changes
        moved = torch.stack([params[name][:, 0] > 0 for name in self._geometric]).any(dim=0)
        maps = reduce(torch.matmul, [one.maps(params[name]) for name, one in self._geometric.items()])
        warp = partial(geometric.warp, beyond=bool(geometric.leaves_image(maps).any()))
        return [_change(warp, moved, (maps,)), *changes]

    def _identity(self, name: str, count: int) -> Tensor:
        """Return the rows [count, 1 + P] with which augmentation `name` is not applied."""
        values = torch.as_tensor(self._parameters[name].identity).expand(count, -1)  # in place, one row per image
        return torch.cat((torch.zeros(count, 1), values), dim=1)

    def _rows(self, name: str, applied: Tensor, values: Tensor) -> Tensor:
        """Return rows [N, 1 + P] of augmentation `name`; rows whose values [N, P] do nothing become the identity."""
        off = self._identity(name, len(values))
        on = torch.cat((torch.ones(len(values), 1), values), dim=1)
        acts = applied & self._used[name].differ(on, off, self.image_size)
        return torch.where(acts.unsqueeze(1), on, off)


@dataclass(frozen=True)
class _Change:
    """A change of some images of a batch."""

    function: Callable[..., Tensor]
    """Function that returns changed images from images and arguments; its inputs are not modified."""
    rows: Tensor
    """Positions of the images, int64."""
    arguments: Sequence[Tensor]
    """Arguments, with a row for each of these images."""

    def of(self, images: Tensor) -> Tensor:
        """Return the images with these changed, in place, or all of them anew."""
        if len(self.rows) == len(images):
            return self.function(images, *self.arguments)
        return images.index_copy_(0, self.rows, self.function(images.index_select(0, self.rows), *self.arguments))


def _change(function: Callable[..., Tensor], chosen: Tensor, arguments: Sequence[Tensor]) -> _Change:
    """Return the change of the chosen images, bool [N]; arguments have a row for each of the N."""
    rows = chosen.nonzero().squeeze(1)
    return _Change(function, rows, [argument[rows] for argument in arguments])


def _sent(changes: Sequence[_Change], device: torch.device) -> list[_Change]:
    """Return the same changes, with rows and arguments on the images' device."""
    tensors = iter(send([tensor for change in changes for tensor in (change.rows, *change.arguments)], device))
    return [_Change(change.function, next(tensors), list(islice(tensors, len(change.arguments)))) for change in changes]


def unit_float(images: Tensor) -> Tensor:
    """Return images [N, 3, H, W], uint8 or float in [0, 1], as float32 in [0, 1] with contiguous channel planes."""
    planes = images.to(torch.float32, memory_format=torch.contiguous_format)
    return planes if images.is_floating_point() else planes.div_(255)


def _per_view(probability: float | tuple[float, float]) -> tuple[float, float]:
    return probability if isinstance(probability, tuple) else (probability, probability)
