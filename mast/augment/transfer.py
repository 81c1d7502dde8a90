"""Copy numbers drawn on the CPU to the device of the images without making the host wait."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def send(tensors: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Return CPU tensors of any shapes and types on `device`, with one copy for each type.

    They are copied to a GPU from page-locked memory. A copy from other memory may wait until the GPU has finished all
    earlier work (cudaMemcpyAsync), and many small copies take longer than one.
    """
    if device.type == "cpu":
        return list(tensors)

    def copy(packed: Tensor) -> Tensor:
        return (packed.pin_memory() if device.type == "cuda" else packed).to(device, non_blocking=True)

    return packed_by_type(tensors, copy)


def packed_by_type(tensors: Sequence[Tensor], copy: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """Return copies of the tensors; those of one type go through `copy` as one flat tensor."""
    copies: dict[int, Tensor] = {}
    for kind in dict.fromkeys(tensor.dtype for tensor in tensors):
        own = {place: tensor for place, tensor in enumerate(tensors) if tensor.dtype == kind}
        packed = copy(torch.cat([tensor.flatten() for tensor in own.values()]))
        parts = packed.split([tensor.numel() for tensor in own.values()])
        copies |= {place: part.view(own[place].shape) for place, part in zip(own, parts, strict=True)}
    return [copies[place] for place in range(len(tensors))]
