"""LARS against timm's, step by step and bit by bit."""

import copy

import pytest
import timm.optim
import torch

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
