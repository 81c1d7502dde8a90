"""LARS: SGD with momentum, each tensor's step scaled by its trust ratio (You et al. 2017)."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

EPSILON = 1e-8
"""Added to the denominator of the trust ratio."""


class Lars(torch.optim.Optimizer):
    """Trust ratio: trust · ‖w‖ / (‖g‖ + weight_decay · ‖w‖), or 1 where a norm is zero.

    Groups without weight decay (biases, normalisation, masks) are plain SGD with momentum. Every step is that of timm's
    Lars.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, momentum: float, trust: float) -> None:
        """`groups` may state their own `weight_decay`, which is 0 otherwise."""
        super().__init__(groups, {"lr": lr, "momentum": momentum, "trust_coeff": trust, "weight_decay": 0.0})

        self._step_supports_amp_scaling = True  # GradScaler then gives its scale to `step`, and reads nothing itself

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        """Update every parameter that has a gradient.

        From a torch.amp.GradScaler come `grad_scale`, by which gradients are too large, and `found_inf`, 1 where one of
        them is not finite and nothing may change: tensors that stay on their device, so that a step never waits for it.
        """
        scale, overflow = getattr(self, "grad_scale", None), getattr(self, "found_inf", None)
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if parameters:
                gradients = _unscaled([parameter.grad for parameter in parameters], scale)
                gradients = _adapted(parameters, gradients, group["weight_decay"], group["trust_coeff"])
                buffers = self._momentum(parameters, gradients, group, overflow)
                torch._foreach_add_(parameters, _unless(overflow, buffers), alpha=-group["lr"])

    def _momentum(
        self, parameters: list[Tensor], gradients: list[Tensor], group: dict[str, Any], overflow: Tensor | None
    ) -> list[Tensor]:
        """The running sum of gradients, begun with the first; as it was where `overflow` says so."""
        if group["momentum"] == 0:
            return gradients
        gradients = _unless(overflow, gradients)
        states = [self.state[parameter] for parameter in parameters]
        begun = [place for place, state in enumerate(states) if state]
        if begun:
            buffers = [states[place]["momentum_buffer"] for place in begun]
            kept = group["momentum"] if overflow is None else torch.where(overflow > 0, 1.0, group["momentum"])
            torch._foreach_mul_(buffers, kept)
            torch._foreach_add_(buffers, [gradients[place] for place in begun])
        for state, gradient in zip(states, gradients, strict=True):
            if not state:
                state["momentum_buffer"] = gradient.clone()
        return [state["momentum_buffer"] for state in states]


def _unscaled(gradients: list[Tensor], scale: Tensor | None) -> list[Tensor]:
    return gradients if scale is None else list(torch._foreach_mul(gradients, scale.double().reciprocal().float()))


def _unless(overflow: Tensor | None, tensors: list[Tensor]) -> list[Tensor]:
    """The tensors, or zeros after an overflow."""
    return tensors if overflow is None else [torch.where(overflow > 0, 0.0, tensor) for tensor in tensors]


def _adapted(parameters: list[Tensor], gradients: list[Tensor], weight_decay: float, trust: float) -> list[Tensor]:
    """Gradients with weight decay, times the trust ratio; as they are without weight decay."""
    if weight_decay == 0:
        return gradients
    weight, slope = (torch.stack(torch._foreach_norm(tensors)) for tensors in (parameters, gradients))
    ratio = trust * weight / (slope + weight * weight_decay + EPSILON)
    ratio = torch.where((weight > 0) & (slope > 0), ratio, 1.0)
    decayed = torch._foreach_add(gradients, parameters, alpha=weight_decay)
    torch._foreach_mul_(decayed, list(ratio.unbind()))
    return list(decayed)
