"""Learning rates of evaluations over their epochs, as shares of those at the start."""

import math
from bisect import bisect_right
from typing import Protocol


class ScheduleSettings(Protocol):
    """What is read of a protocol's settings."""

    epochs: int
    schedule: str
    milestones: tuple[int, ...] | None
    gamma: float


def share(spec: ScheduleSettings, epoch: int) -> float:
    """Share of the learning rates in an epoch, counted from 0.

    `cosine`: from 1 towards 0 (facebookresearch/vicreg, evaluate.py steps its schedule once per epoch). `steps`:
    `gamma` to the power of the milestones that are behind (facebookresearch/fvcore, MultiStepParamScheduler, which
    VISSL uses with `update_interval: epoch`).
    """
    if spec.schedule == "steps":
        return spec.gamma ** bisect_right(spec.milestones or (), epoch)
    return (1 + math.cos(math.pi * epoch / spec.epochs)) / 2
