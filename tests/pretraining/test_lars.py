"""LARS equals VICReg's rule written out in float64, and timm's where the two rules are the same."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import timm.optim
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mast.config.pretrain import OptimizerSpec
from mast.models.masks import Masks
from mast.models.settings import MaskSpec
from mast.pretraining.lars import Lars
from mast.pretraining.optim import build_optimizer

GROUPS = (
    {"params": (0, 1), "weight_decay": 0.01},
    {"params": (2,), "weight_decay": 0.0, "adapt": False},
    {"params": (3, 4), "weight_decay": 0.0},
)
TRUST = 0.02


def weights() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(5, 3), (4, 3, 3, 3), (7,), (3, 2), (2, 6)]
    tensors = [torch.randn(shape, generator=generator) for shape in shapes]
    tensors[3].zero_()  # whose trust ratio is 1
    return [tensor.requires_grad_() for tensor in tensors]


def grouped(tensors: list[torch.Tensor]) -> list[dict]:
    return [{**group, "params": [tensors[place] for place in group["params"]]} for group in GROUPS]


def official(weight: torch.Tensor, gradient: torch.Tensor, weight_decay: float, adapt: bool) -> torch.Tensor:
    """Return what is added to the momentum (facebookresearch/vicreg, main_vicreg.py, `LARS.step`), float64."""
    step = gradient.double() + weight_decay * weight.double()
    lengths = weight.double().square().sum().sqrt().item(), step.square().sum().sqrt().item()
    return step * (TRUST * lengths[0] / lengths[1] if adapt and min(lengths) > 0 else 1)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_every_step_is_the_official_one(momentum: float) -> None:
    own = weights()
    optimizer = Lars(grouped(own), lr=0.5, momentum=momentum, trust=TRUST)
    expected = [weight.detach().double() for weight in own]
    running = [torch.zeros_like(weight) for weight in expected]
    of = {place: group for group in GROUPS for place in group["params"]}
    generator = torch.Generator().manual_seed(1)
    for step in range(5):
        for place, weight in enumerate(own):
            weight.grad = torch.randn(weight.shape, generator=generator) * (step != 2)
            if step == 1 and place == 1:
                weight.grad = None  # left as it is
                continue
            added = official(weight.detach(), weight.grad, of[place]["weight_decay"], of[place].get("adapt", True))
            running[place] = momentum * running[place] + added
            expected[place] = expected[place] - 0.5 * running[place]
        optimizer.step()
        for first, second in zip(own, expected, strict=True):
            torch.testing.assert_close(first.detach().double(), second, rtol=2e-6, atol=2e-7)


def test_a_group_without_weight_decay_is_adapted_as_the_official_one() -> None:
    weight = torch.tensor([[2.0]], requires_grad=True)
    weight.grad = torch.tensor([[1e-4]])
    Lars([{"params": [weight], "weight_decay": 0.0}], lr=1.0, momentum=0.9, trust=0.001).step()
    assert 2 - weight.item() == pytest.approx(2.0e-3, rel=1e-4)


def test_without_weight_decay_every_step_equals_timms_that_always_adapts() -> None:
    own, reference = weights(), weights()
    optimizers = (
        Lars([{"params": own}], lr=0.5, momentum=0.9, trust=TRUST),
        timm.optim.Lars([{"params": reference}], lr=0.5, momentum=0.9, trust_coeff=TRUST, eps=0, always_adapt=True),
    )
    generator = torch.Generator().manual_seed(1)
    for _ in range(4):
        for first, second in zip(own, reference, strict=True):
            first.grad = torch.randn(first.shape, generator=generator)
            second.grad = first.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
        for first, second in zip(own, reference, strict=True):
            torch.testing.assert_close(first, second, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("weight_decay", [0.0, 1e-6])
def test_logits_of_masks_and_vectors_are_plain_sgd(weight_decay: float) -> None:
    """Matrices of logits are kept out by name, biases by their dimension; both whatever the weight decay."""
    masks, layer = Masks(3, 4, MaskSpec()), torch.nn.Linear(4, 4)
    model = torch.nn.ModuleList([masks, layer])
    spec = OptimizerSpec(name="lars", momentum=0.0, weight_decay=weight_decay)
    optimizer = build_optimizer(model, masks.parameters(), 5.0, spec)
    assert masks.logits.ndim == 2
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 1e-3)
    optimizer.step()
    moved = {name: (old - p.detach()) for (name, p), old in zip(model.named_parameters(), before, strict=True)}
    rate = spec.lr
    for name in ("0.logits", "1.bias"):
        torch.testing.assert_close(moved[name], torch.full_like(moved[name], 1e-3 * rate), rtol=1e-3, atol=1e-8)
    step = official(before[1], torch.full((4, 4), 1e-3), weight_decay, adapt=True)
    torch.testing.assert_close(moved["1.weight"].double(), step * rate * 0.001 / TRUST, rtol=1e-3, atol=1e-8)


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
