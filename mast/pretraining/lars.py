"""LARS: SGD with momentum, each tensor's step scaled by its trust ratio (You et al. 2017), as in VICReg's code."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class Lars(torch.optim.Optimizer):
    """LARS with the trust ratio trust · ‖w‖ / ‖g + weight_decay · w‖, or 1 if a norm is zero.

    Source: `LARS` in facebookresearch/vicreg, main_vicreg.py. The key `adapt` of a group decides whether its steps are
        scaled, whatever its weight decay. Groups without it use plain SGD with momentum.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, momentum: float, trust: float) -> None:
        """Build the optimiser. `groups` may set their own `weight_decay` (default 0) and `adapt` (default True)."""
        defaults = {"lr": lr, "momentum": momentum, "trust": trust, "weight_decay": 0.0, "adapt": True}
        super().__init__(groups, defaults)

        self._step_supports_amp_scaling = True  # GradScaler then passes its scale to `step`, and reads nothing itself

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        """Update every parameter that has a gradient.

        A torch.amp.GradScaler sets `grad_scale`, the factor of the gradients, and `found_inf`, which is 1 if a gradient
        is not finite and nothing may change. Both are tensors that stay on their device, so that a step never waits for
        it.
        """
        scale, overflow = getattr(self, "grad_scale", None), getattr(self, "found_inf", None)
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if parameters:
                gradients = _unscaled([parameter.grad for parameter in parameters], scale)
                gradients = _decayed(parameters, gradients, group["weight_decay"])
                if group["adapt"]:
                    gradients = _adapted(parameters, gradients, group["trust"])
                buffers = self._momentum(parameters, gradients, group, overflow)
                torch._foreach_add_(parameters, _unless(overflow, buffers), alpha=-group["lr"])

    def _momentum(
        self, parameters: list[Tensor], gradients: list[Tensor], group: dict[str, Any], overflow: Tensor | None
    ) -> list[Tensor]:
        """Return the running sum of gradients, which starts with the first; unchanged after an `overflow`."""
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
    """Return the tensors, or zeros after an overflow."""
    return tensors if overflow is None else [torch.where(overflow > 0, 0.0, tensor) for tensor in tensors]


def _decayed(parameters: list[Tensor], gradients: list[Tensor], weight_decay: float) -> list[Tensor]:
    """Return the gradients with weight decay added."""
    return list(torch._foreach_add(gradients, parameters, alpha=weight_decay)) if weight_decay else gradients


def _adapted(parameters: list[Tensor], gradients: list[Tensor], trust: float) -> list[Tensor]:
    """Return the gradients times their trust ratios, as new tensors."""
    weight, slope = (torch.stack(torch._foreach_norm(tensors)) for tensors in (parameters, gradients))
    ratio = torch.where((weight > 0) & (slope > 0), trust * weight / slope, 1.0)
    return list(torch._foreach_mul(gradients, list(ratio.unbind())))
