"""Schedule and LARS equal written-out formulas, and parameters are in the right groups."""

import math

import pytest
import torch
from torch import nn

from mast.config.pretrain import OptimizerSpec
from mast.pretraining.optim import build_optimizer, learning_rate, set_learning_rate


def test_schedule_warms_up_from_zero_and_ends_at_its_last_value() -> None:
    spec = OptimizerSpec(name="lars", lr=0.3, warmup_epochs=2, final_lr=0.001)
    rates = [learning_rate(spec, step, 10, 10, 512) for step in range(101)]
    assert rates[0] == 0
    assert rates[10] == pytest.approx(0.3 * 2 / 2)  # half of the warm-up, lr scaled by 512 / 256
    assert rates[20] == pytest.approx(0.6)
    assert rates[60] == pytest.approx(0.6 * (0.5 + 0.001 * 0.5))
    assert rates[100] == pytest.approx(0.6 * 0.001)
    assert max(rates) == pytest.approx(0.6)


def test_adamw_does_not_scale_with_the_batch() -> None:
    spec = OptimizerSpec(name="adamw", lr=0.01, warmup_epochs=0)
    assert learning_rate(spec, 0, 10, 10, 512) == learning_rate(spec, 0, 10, 10, 64) == 0.01


def test_warm_up_longer_than_the_run_stays_linear() -> None:
    spec = OptimizerSpec(name="sgd", lr=1, warmup_epochs=10)
    assert learning_rate(spec, 5, 1, 5, 256) == pytest.approx(0.5)


def test_lars_step_equals_the_formula() -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2).double()
    weight, bias = (p.detach().clone() for p in model.parameters())
    spec = OptimizerSpec(name="lars", lr=0.5, weight_decay=0.1, momentum=0.9, trust=0.02)
    optimizer = build_optimizer(model, [], 1.0, spec)
    set_learning_rate(optimizer, 0.5)
    momentum_w, momentum_b = torch.zeros_like(weight), torch.zeros_like(bias)
    for step in range(3):
        generator = torch.Generator().manual_seed(step)
        gradients = [torch.randn(p.shape, dtype=p.dtype, generator=generator) for p in model.parameters()]
        for parameter, gradient in zip(model.parameters(), gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        decayed = gradients[0] + 0.1 * weight
        momentum_w = 0.9 * momentum_w + decayed * 0.02 * weight.norm() / decayed.norm()
        momentum_b = 0.9 * momentum_b + gradients[1]
        weight, bias = weight - 0.5 * momentum_w, bias - 0.5 * momentum_b
    torch.testing.assert_close(model.bias.detach(), bias)
    torch.testing.assert_close(model.weight.detach(), weight)


@pytest.mark.parametrize("name", ["lars", "sgd", "adamw"])
def test_every_parameter_is_in_one_group_and_norms_are_not_decayed(name: str) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    fast = [model[2].weight]
    optimizer = build_optimizer(model, fast, 7.0, OptimizerSpec(name=name, weight_decay=0.5))
    of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    assert sorted(map(id, model.parameters())) == sorted(of)
    assert {group["weight_decay"] for group in optimizer.param_groups if group["params"][0].ndim <= 1} == {0.0}
    assert of[id(model[0].weight)]["weight_decay"] == 0.5
    assert of[id(model[2].weight)]["weight_decay"] == 0.0
    set_learning_rate(optimizer, 0.1)
    assert of[id(model[2].weight)]["lr"] == pytest.approx(0.7)
    assert math.isclose(of[id(model[0].weight)]["lr"], 0.1)
