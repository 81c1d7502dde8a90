"""Refuse what a fast test must not do: train, or start Snakemake or a cluster."""

import os
import sys
from pathlib import Path

import pytest

SLOW_PROGRAMS = {"snakemake", "torchrun", "torch.distributed.run", "slurmctld"}
STEPS = 25
"""Number of optimiser steps that a fast test may do: enough to check a step, too few to learn."""


class Guard:
    """Record of what the running test does, if it is a fast one."""

    watching, steps, sees_optimizers = False, 0, False

    def start(self, item: pytest.Item) -> None:
        self.watching, self.steps = item.get_closest_marker("slow") is None, 0

    def see_optimizers(self) -> None:
        """Be told of steps as soon as something has imported torch."""
        if "torch.optim.optimizer" in sys.modules and not self.sees_optimizers:
            sys.modules["torch.optim.optimizer"].register_optimizer_step_pre_hook(self.on_step)
            self.sees_optimizers = True

    def on_event(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.watching and event == "subprocess.Popen" and not isinstance(arguments[1], str | bytes):
            words = [os.fsdecode(word) for word in arguments[1]]
            started = {Path(word).name for word in words[:3]} & SLOW_PROGRAMS or {"pretrain"} & set(words)
            if started and "--help" not in words:
                self.refuse(f"starts {started.pop()}")

    def on_step(self, *_: object) -> None:
        self.steps += 1
        if self.watching and self.steps > STEPS:
            self.refuse("trains")

    def refuse(self, what: str) -> None:
        self.watching = False
        pytest.fail(f"this test {what}; mark it with pytest.mark.slow, so that `make check` leaves it out", False)
