"""One training run in several processes (torch.distributed): which process holds which images, and sums over all of
them.

In pretraining every process runs encoder and projector on its share of a batch and gathers the embeddings of the
others. Each then computes the loss of the whole batch, as VICReg does (main_vicreg.py, FullGatherLayer). Elsewhere each
process computes the loss of its share, weighted by its size, and the gradients are added up. Batch normalisation uses
the statistics of the whole batch. So loss and gradient do not depend on the number of processes.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable
from torch.nn.parallel import DistributedDataParallel

from mast.errors import MastError

CHUNK = 2**26
"""Bytes that are sent at once; at least one row is sent."""


@dataclass(frozen=True)
class World:
    """The processes of one training run, and this one's rank among them."""

    rank: int = 0
    size: int = 1
    control: distributed.ProcessGroup | None = None
    """Group for flags on the CPU, so that a GPU is never waited for."""

    @property
    def leads(self) -> bool:
        """Return whether this process writes the files."""
        return self.rank == 0

    def rows(self, count: int) -> slice:
        """Return the rows of this process in a batch of which every process holds `count`."""
        return slice(self.rank * count, (self.rank + 1) * count)

    def share(self, count: int) -> slice:
        """Return this process's slice of `count` items in order of ranks. The first slices may be one longer."""
        start, stop = (-(-count * rank // self.size) for rank in (self.rank, self.rank + 1))
        return slice(start, stop)

    def gather(self, local: Tensor) -> Tensor:
        """Gather the rows of all processes in the order of ranks, with gradients: [n, …] → [n·size, …]."""
        return local if self.size == 1 else _Gather.apply(local.contiguous(), self)

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set in any process. All processes must call this."""
        return max(self._collect(int(flag))) > 0

    def agree(self, value: int) -> bool:
        """Return whether all processes hold the same value. All processes must call this."""
        return len(set(self._collect(value))) == 1

    def everyones(self, value: Any) -> list[Any]:
        """Return the value of each process in the order of ranks; any value that can be pickled. All processes must
        call this.
        """
        values = [value] * self.size
        if self.size > 1:
            distributed.all_gather_object(values, value, group=self.control)
        return values

    def at_first(self, value: Any) -> list[Any] | None:
        """Return what `everyones` returns, in the first process only; None in the others."""
        if self.size == 1:
            return [value]
        values = [None] * self.size if self.leads else None
        distributed.gather_object(value, values, dst=0, group=self.control)
        return values

    def rows_at_first(self, own: Tensor) -> Tensor | None:
        """Return the rows of all processes, in the order of ranks, in the first process; None in the others.

        Args:
            own: [n, …] on the CPU; n may differ, and be 0.
        """
        if self.size == 1:
            return own
        counts, width = self._collect(len(own)), max(self._collect(own[:1].nbytes))
        step = max(1, CHUNK // max(1, width))
        if not self.leads:
            for chunk in own.contiguous().split(step) if len(own) else ():  # torch cannot split into one part
                distributed.send(chunk, 0, group=self.control)
            return None
        whole = own.new_empty(sum(counts), *own.shape[1:])
        parts = whole.split(counts)
        parts[0].copy_(own)
        for rank, part in enumerate(parts[1:], start=1):
            for chunk in part.split(step) if len(part) else ():
                distributed.recv(chunk, rank, group=self.control)
        return whole

    def add_up(self, parameters: Iterable[nn.Parameter], loss: Tensor) -> Tensor:
        """Replace each gradient by its sum over all processes; return the sum of `loss`, a detached scalar.

        A process without a gradient, because its share was empty, counts as 0.
        """
        if self.size == 1:
            return loss.detach()
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([*(parameter.grad.flatten() for parameter in trained), loss.detach().reshape(1)])
        distributed.all_reduce(flat)
        *sums, total = flat.split([*(parameter.numel() for parameter in trained), 1])
        for parameter, summed in zip(trained, sums, strict=True):
            parameter.grad.copy_(summed.view_as(parameter))
        return total.squeeze(0)

    def take_buffers(self, model: nn.Module) -> None:
        """Replace the buffers of a model by those of the first process."""
        for buffer in model.buffers() if self.size > 1 else ():
            distributed.broadcast(buffer, 0)

    def prepare(self, model: nn.Module) -> None:
        """Make the batch normalisation inside `model` use the statistics of all processes."""
        if self.size == 1:
            return
        if next(model.parameters()).is_cuda:
            from timm.layers import convert_sync_batchnorm  # unlike torch's, it handles timm's own layers

            convert_sync_batchnorm(model)
        else:
            _replace_batch_norm(model, self)

    def wrap(self, model: nn.Module) -> nn.Module:
        """Wrap `model` so that backward averages the gradients of all processes; weights start as those of rank 0."""
        if self.size == 1:
            return model
        # Without `find_unused_parameters` torch changes the order of its sums after the first step from a start. More
        # than two processes that were stopped would then go on with other bits; on a GPU they may do so anyway.
        keeps_order = not next(model.parameters()).is_cuda
        return DistributedDataParallel(model, gradient_as_bucket_view=True, find_unused_parameters=keeps_order)

    def _collect(self, value: int) -> list[int]:
        if self.size == 1:
            return [value]
        values = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        distributed.all_gather(values, torch.tensor([value]), group=self.control)
        return [int(each) for each in values]


ALONE = World()
"""World of a training run in one process."""


def launched() -> bool:
    """Return whether a launcher (torchrun, or the submitit plugin) has started several processes."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def local_device(device: str) -> str:
    """Return the device of this process: on GPUs, the one numbered by its local rank, or the only visible one.

    Raises:
        MastError: there is no GPU with that number.
    """
    if device != "cuda" or not launched():
        return device
    number, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if count == 1:  # the launcher has given each process a GPU; nccl refuses two processes on one GPU
        return "cuda:0"
    if number >= count:
        raise MastError(f"LOCAL_RANK: {number}, but this node shows {count} GPUs; start one process per GPU")
    return f"cuda:{number}"


@contextmanager
def join(device: torch.device, backend: str | None = None) -> Iterator[World]:
    """Connect to the other processes (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT), by nccl on GPUs and gloo on CPUs.

    `backend` selects another backend: gloo where processes share one GPU, which nccl refuses.

    Raises:
        MastError: the other processes cannot be reached.
    """
    if not launched():
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    try:
        distributed.init_process_group(backend or ("nccl" if device.type == "cuda" else "gloo"))
    except (ValueError, RuntimeError) as error:
        raise MastError(f"WORLD_SIZE: the other processes cannot be reached ({str(error).splitlines()[0]})") from None
    try:
        control = distributed.new_group(backend="gloo")
        yield World(distributed.get_rank(), distributed.get_world_size(), control)
    finally:
        distributed.destroy_process_group()


class _Gather(torch.autograd.Function):
    """Concatenation of all processes' rows. The gradient is the sum of all processes' gradients of these rows."""

    @staticmethod
    def forward(context: Any, local: Tensor, world: World) -> Tensor:
        context.rows = world.rows(len(local))
        parts = [torch.empty_like(local) for _ in range(world.size)]
        distributed.all_gather(parts, local)
        return torch.cat(parts)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        total = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total[context.rows], None


class _Sum(torch.autograd.Function):
    """Sum over processes. The gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(context: Any, local: Tensor) -> Tensor:
        total = local.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


class GatheredBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation over all processes on the CPU, where torch's SyncBatchNorm does not run."""

    world: World

    def forward(self, values: Tensor) -> Tensor:
        """Normalise [N, C, …] with the mean and variance of the whole batch."""
        if not self.training:
            return super().forward(values)
        dimensions = [0, *range(2, values.dim())]
        shape = [1, -1, *[1] * (values.dim() - 2)]
        full = values.double()  # torch's own batch normalisation adds up in double precision too
        own = full.new_tensor([values.numel() / values.shape[1]])  # processes may hold different numbers of values
        total = _Sum.apply(torch.cat([full.sum(dimensions), own]))
        count = total[-1].detach()
        mean = total[:-1] / count
        centred = full - mean.view(shape)
        variance = _Sum.apply(centred.square().sum(dimensions)) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            share = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum  # as torch does it
            self.running_mean.lerp_(mean.to(self.running_mean), share)
            self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var), share)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale.view(shape) + self.bias.view(shape)).to(values.dtype)

    def _check_input_dim(self, values: Tensor) -> None:
        """Accept any input with at least two dimensions."""


def _replace_batch_norm(model: nn.Module, world: World) -> None:
    for name, child in model.named_children():
        if type(child) in (nn.BatchNorm1d, nn.BatchNorm2d):
            replacement = GatheredBatchNorm(child.num_features, child.eps, child.momentum)
            replacement.weight, replacement.bias = child.weight, child.bias
            replacement.running_mean, replacement.running_var = child.running_mean, child.running_var
            replacement.num_batches_tracked = child.num_batches_tracked
            replacement.world = world
            setattr(model, name, replacement)
        else:
            _replace_batch_norm(child, world)
