"""Images of several sizes that a network sees as one batch: layer by layer, with one batch normalisation of all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mast.errors import MastError

ASKS_FOR_SIZE = (
    "gpu_images: {} asks for the size of its images, which differs within a batch; set gpu_images to batch_size and "
    "use one process, which pads all to one size, or choose another encoder"
)
"""Error for an encoder that cannot take images of several sizes."""


class Ragged(Tensor):
    """Tensors [N, C, H, W] of several heights and widths, to which torch applies each of its functions in turn."""

    parts: list[Tensor]

    @classmethod
    def of(cls, parts: list[Tensor]) -> "Ragged":
        """Put them together."""
        ragged = torch.empty(0).as_subclass(cls)
        ragged.parts = parts
        return ragged

    @classmethod
    def __torch_function__(cls, function: Any, _types: Any, given: Any = (), named: Any = None) -> Any:
        """The function of each part; what is no tensor, such as a number of dimensions, is the same of all.

        Raises:
            MastError: it is not the same of all, as their heights are.
        """
        everything = [*given, *(named or {}).values()]
        count = next(len(value.parts) for value in _leaves(everything) if isinstance(value, cls))
        found = [function(*_of(given, number), **_of(named or {}, number)) for number in range(count)]
        if isinstance(found[0], Tensor):
            return cls.of(found)
        if isinstance(found[0], list | tuple) and all(isinstance(value, Tensor) for value in found[0]):
            return tuple(cls.of(list(parts)) for parts in zip(*found, strict=True))
        if any(value != found[0] for value in found):
            raise MastError(ASKS_FOR_SIZE.format("this encoder"))
        return found[0]


def parts_of(tensor: Tensor) -> list[Tensor]:
    """The parts of a ragged tensor; of any other, itself."""
    return tensor.parts if isinstance(tensor, Ragged) else [tensor]


@contextmanager
def normalised_together(network: nn.Module) -> Iterator[None]:
    """Within, the batch norms of a network take the statistics of all parts of a ragged tensor."""
    norms = [_Together(module) for module in network.modules() if isinstance(module, _BatchNorm)]
    try:
        yield
    finally:
        for norm in norms:
            norm.remove()


class _Together:
    """Gives a batch norm the values of all parts in one tensor [1, C, 1, values], and takes them apart behind it."""

    def __init__(self, norm: nn.Module) -> None:
        self._shapes: list[torch.Size] | None = None
        self._hooks = norm.register_forward_pre_hook(self._join), norm.register_forward_hook(self._split)

    def remove(self) -> None:
        for hook in self._hooks:
            hook.remove()

    def _join(self, _norm: nn.Module, given: tuple[Tensor]) -> tuple[Tensor] | None:
        [values] = given
        self._shapes = [part.shape for part in values.parts] if isinstance(values, Ragged) else None
        if self._shapes is None:
            return None
        joined = torch.cat([part.transpose(0, 1).flatten(1) for part in values.parts], dim=1)
        return (joined[None, :, None],)

    def _split(self, _norm: nn.Module, _given: tuple[Tensor], joined: Tensor) -> Tensor | None:
        if self._shapes is None:
            return None
        parts, start = [], 0
        for number, _, height, width in self._shapes:
            stop = start + number * height * width
            values = joined[0, :, 0, start:stop].unflatten(1, (number, height, width))
            parts.append(values.transpose(0, 1).clone(memory_format=torch.contiguous_format))
            start = stop
        return Ragged.of(parts)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for each in value:
            yield from _leaves(each)
    else:
        yield value


def _of(value: Any, number: int) -> Any:
    """Arguments with one part in the place of each ragged tensor."""
    if isinstance(value, Ragged):
        return value.parts[number]
    if isinstance(value, dict):
        return {key: _of(each, number) for key, each in value.items()}
    return type(value)(_of(each, number) for each in value) if type(value) in (list, tuple) else value
