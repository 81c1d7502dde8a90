"""Learning rates of evaluations over their epochs, as shares of those at the start."""

import math
from bisect import bisect_right
from typing import Protocol


class ScheduleSettings(Protocol):
    """Settings of a protocol that the schedule reads."""

    epochs: int
    schedule: str
    milestones: tuple[int, ...] | None
    gamma: float


def share(spec: ScheduleSettings, epoch: int) -> float:
    """Return the share of the learning rates in an epoch, counted from 0.

    `cosine`: from 1 towards 0 (facebookresearch/vicreg, evaluate.py steps its schedule once per epoch). `steps`:
    `gamma` to the power of the number of passed milestones (facebookresearch/fvcore, MultiStepParamScheduler, which
    VISSL uses with `update_interval: epoch`).
    """
    if spec.schedule == "steps":
        return spec.gamma ** bisect_right(spec.milestones or (), epoch)
    return (1 + math.cos(math.pi * epoch / spec.epochs)) / 2
