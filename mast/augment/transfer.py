"""Numbers drawn on the CPU, brought to the device of the images without making the host wait for it."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def send(tensors: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """CPU tensors of any shapes and types, on `device`: one copy for each type.

    To a GPU they are copied from page-locked memory. A copy from any other may wait until the GPU has done all that was
    asked of it before (cudaMemcpyAsync), and many small copies take longer than one.
    """
    if device.type == "cpu":
        return list(tensors)

    def copy(packed: Tensor) -> Tensor:
        return (packed.pin_memory() if device.type == "cuda" else packed).to(device, non_blocking=True)

    return packed_by_type(tensors, copy)


def packed_by_type(tensors: Sequence[Tensor], copy: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """Copies of the tensors: those of one type go through `copy` as one flat tensor."""
    copies: dict[int, Tensor] = {}
    for kind in dict.fromkeys(tensor.dtype for tensor in tensors):
        own = {place: tensor for place, tensor in enumerate(tensors) if tensor.dtype == kind}
        packed = copy(torch.cat([tensor.flatten() for tensor in own.values()]))
        parts = packed.split([tensor.numel() for tensor in own.values()])
        copies |= {place: part.view(own[place].shape) for place, part in zip(own, parts, strict=True)}
    return [copies[place] for place in range(len(tensors))]
