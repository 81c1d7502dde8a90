"""Optimisers with the field's parameter groups, and the learning-rate schedule."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from mast.config.pretrain import OptimizerSpec
from mast.pretraining.lars import Lars

REFERENCE_BATCH = 256
"""Batch size at which `lr` is stated for `lars` and `sgd` (main_vicreg.py: lr = base · batch / 256)."""

ADAM = {"betas": (0.9, 0.999), "eps": 1e-8}
"""Constants of AdamW (Loshchilov & Hutter 2019)."""


def build_optimizer(
    model: nn.Module, fast: Iterable[nn.Parameter], fast_factor: float, spec: OptimizerSpec
) -> torch.optim.Optimizer:
    """Build the optimiser over all trainable parameters of `model`.

    Parameters with one dimension (biases, normalisation) have no weight decay and, under LARS, no trust ratio
    (facebookresearch/vicreg, main_vicreg.py, `exclude_bias_and_norm`). All others have a trust ratio, even if the
    weight decay is 0.

    Args:
        model: the model that is trained.
        fast: parameters (of `model`) without weight decay and trust ratio whose learning rate is multiplied by
            `fast_factor`.
        fast_factor: see `fast`.
        spec: name and constants of the optimiser.
    """
    fast = list(fast)
    others = [p for p in model.parameters() if p.requires_grad and not any(p is q for q in fast)]
    plain = {"weight_decay": 0.0, "adapt": False}
    groups = [
        {"params": [p for p in others if p.ndim > 1], "weight_decay": spec.weight_decay, "adapt": True, "factor": 1.0},
        {"params": [p for p in others if p.ndim <= 1], **plain, "factor": 1.0},
        {"params": [p for p in fast if p.requires_grad], **plain, "factor": fast_factor},
    ]
    groups = [group for group in groups if group["params"]]
    if spec.name == "lars":
        return Lars(groups, lr=spec.lr, momentum=spec.momentum, trust=spec.trust)
    if spec.name == "sgd":
        return torch.optim.SGD(groups, lr=spec.lr, momentum=spec.momentum, dampening=0, nesterov=False, fused=True)
    return torch.optim.AdamW(groups, lr=spec.lr, **ADAM, fused=True)


def learning_rate(spec: OptimizerSpec, step: int, steps_per_epoch: int, epochs: int, batch_size: int) -> float:
    """Return the learning rate of a step: linear warm-up from 0, then cosine to `final_lr` times the peak.

    Args:
        spec: peak, warm-up and end.
        step: 0-based step of the whole run.
        steps_per_epoch: number of steps in an epoch.
        epochs: number of epochs of the run.
        batch_size: number of images per step over all processes.
    """
    peak = spec.lr * (batch_size / REFERENCE_BATCH if spec.name in ("lars", "sgd") else 1.0)
    warmup = spec.warmup_epochs * steps_per_epoch
    if step < warmup:
        return peak * step / warmup
    progress = (step - warmup) / max(1.0, epochs * steps_per_epoch - warmup)
    cosine = (1 + math.cos(math.pi * min(progress, 1.0))) / 2
    return peak * (cosine + spec.final_lr * (1 - cosine))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set every group's learning rate to `rate` times its factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
