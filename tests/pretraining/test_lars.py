"""LARS against timm's, step by step and bit by bit."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import timm.optim
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mast.pretraining.lars import Lars


def weights() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(5, 3), (4, 3, 3, 3), (7,), (3, 2)]
    tensors = [torch.randn(shape, generator=generator) for shape in shapes]
    tensors[3].zero_()  # whose trust ratio is 1
    return [tensor.requires_grad_() for tensor in tensors]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_every_step_equals_timms(momentum: float) -> None:
    own, reference = weights(), weights()
    groups = [{"params": [0, 1, 3], "weight_decay": 0.01}, {"params": [2], "weight_decay": 0.0}]

    def grouped(tensors: list[torch.Tensor]) -> list[dict]:
        return [{**group, "params": [tensors[place] for place in group["params"]]} for group in groups]

    optimizers = (
        Lars(grouped(own), lr=0.5, momentum=momentum, trust=0.02),
        timm.optim.Lars(grouped(reference), lr=0.5, momentum=momentum, trust_coeff=0.02),
    )
    generator = torch.Generator().manual_seed(1)
    for step in range(4):
        for first, second in zip(own, reference, strict=True):
            gradient = torch.randn(first.shape, generator=generator) * (step != 2)
            first.grad, second.grad = gradient.clone(), gradient.clone()
        if step == 1:
            own[1].grad = reference[1].grad = None  # no gradient: left as it is
        for optimizer in optimizers:
            optimizer.step()
        for first, second in zip(own, reference, strict=True):
            assert torch.equal(first, second)


def test_its_state_survives_being_saved() -> None:
    own, twin = weights(), weights()
    optimizer, other = (Lars([{"params": w, "weight_decay": 0.1}], 0.5, 0.9, 0.02) for w in (own, twin))
    for first in own:
        first.grad = torch.ones_like(first)
    optimizer.step()
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    with torch.no_grad():
        for first, second in zip(own, twin, strict=True):
            second.copy_(first)
            second.grad = torch.ones_like(second)
    optimizer.step()
    other.step()
    for first, second in zip(own, twin, strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_with_a_loss_scale_each_step_is_that_without_and_an_overflow_changes_nothing(momentum: float) -> None:
    scaled, plain = weights(), weights()
    optimizers = [Lars([{"params": w, "weight_decay": 0.01}], 0.5, momentum, trust=0.02) for w in (scaled, plain)]
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    generator = torch.Generator().manual_seed(1)
    for step in range(5):
        overflows = step in (0, 3)
        scale = scaler.scale(torch.ones(())).item()
        for first, second in zip(scaled, plain, strict=True):
            second.grad = torch.randn(first.shape, generator=generator)
            first.grad = second.grad * (torch.inf if overflows else scale)
        scaler.step(optimizers[0])
        scaler.update()
        if not overflows:
            optimizers[1].step()
        assert scaler.get_scale() == (scale / 2 if overflows else scale)
        for first, second in zip(scaled, plain, strict=True):
            assert torch.equal(first, second)


def test_a_loss_scale_is_not_read_by_the_host() -> None:
    own = weights()
    optimizer = Lars([{"params": own, "weight_decay": 0.01}], lr=0.5, momentum=0.9, trust=0.02)
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(torch.ones(()))
    for weight in own:
        weight.grad = torch.ones_like(weight)
    with Counter() as counter:
        scaler.step(optimizer)
        scaler.update()
    assert counter.reads == 0


class Counter(TorchDispatchMode):
    """Counts values that are handed to Python."""

    reads = 0

    def __torch_dispatch__(
        self, operation: Callable[..., Any], types: Sequence[type], arguments: tuple = (), keywords: dict | None = None
    ) -> Any:
        self.reads += operation is torch.ops.aten._local_scalar_dense.default
        return operation(*arguments, **(keywords or {}))
