"""Optimiser of a detector: the settings of its training, parameter groups, and learning rate over the steps."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import nn

from mast.models.detector import Detector

STEPS = (3 / 4, 11 / 12)
"""Steps at which the learning rate falls to a tenth, as shares of training: steps 18k and 22k of 24k on VOC07+12
(facebookresearch/moco, detection/configs/pascal_voc_R_50_C4_24k.yaml).
"""

DECAY = 0.1
"""Factor of each fall, SOLVER.GAMMA of detectron2 (config/defaults.py). The next three constants are from this file
too.
"""

WARMUP_FACTOR = 0.001
"""First learning rate, as a share of the full one (SOLVER.WARMUP_FACTOR), unless the settings give another."""

MOMENTUM = 0.9
"""Momentum of SGD, without Nesterov's (SOLVER.MOMENTUM, SOLVER.NESTEROV)."""

NORM_WEIGHT_DECAY = 0.0
"""Weight decay of the scale and shift of normalisation layers (SOLVER.WEIGHT_DECAY_NORM); biases decay like weights."""

ADAMW = {"betas": (0.9, 0.999), "eps": 1e-8, "amsgrad": False}
"""Constants of AdamW. They are ours: the reference has no AdamW."""

NORMALISATION = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.InstanceNorm2d, nn.LayerNorm)
"""Layers whose parameters detectron2 treats as normalisation (solver/build.py)."""


class DetectionSettings(Protocol):
    """Settings of a protocol that training reads."""

    architecture: str
    epochs: int
    steps: int | None
    batch_size: int
    optimizer: str
    lr: float
    decay_steps: tuple[int, ...] | None
    weight_decay: float
    warmup_steps: int
    precision: str
    warmup_factor: float
    precise_batches: int


def lr_factor(
    warmup: int, total: int, decay_steps: Sequence[float] | None = None, start: float = WARMUP_FACTOR
) -> Callable[[int], float]:
    """Return a function from the step (from 0) to the share of the full learning rate.

    It rises from `start` in `warmup` steps, of `total`, and falls at `decay_steps`, by default STEPS.
    """
    falls = [share * total for share in STEPS] if decay_steps is None else decay_steps

    def factor(step: int) -> float:
        if step < warmup:
            return start + (1 - start) * step / warmup
        return DECAY ** sum(step >= fall for fall in falls)

    return factor


def build_optimizer(detector: Detector, spec: DetectionSettings) -> torch.optim.Optimizer:
    """Build the optimiser of all trained parameters, with weight decay on all but normalisation (detectron2,
    solver/build.py).
    """
    layers = (module for module in detector.modules() if isinstance(module, NORMALISATION))
    own = {id(parameter) for layer in layers for parameter in layer.parameters(recurse=False)}
    trained = [parameter for parameter in detector.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if id(p) not in own], "weight_decay": spec.weight_decay},
        {"params": [p for p in trained if id(p) in own], "weight_decay": NORM_WEIGHT_DECAY},
    ]
    groups = [group for group in groups if group["params"]]
    if spec.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=spec.lr, **ADAMW)
    return torch.optim.SGD(groups, lr=spec.lr, momentum=MOMENTUM, dampening=0, nesterov=False)
