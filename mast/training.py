"""The one trainer: it steps, saves checkpoints, resumes, and stops after a signal.

It trains a `Trainee`, and does not know about losses, data or logs. Pretraining, linear heads, fine-tuning and
detection each define a trainee.
"""

import io
import sys
import time
from typing import Any, Protocol

import torch

from mast.checkpoint import Checkpoints
from mast.distributed import ALONE, World
from mast.errors import MastError
from mast.progress import Progress
from mast.signals import StoppedBySignalError, stop_requests

MINUTES = 10.0
"""Minutes between two checkpoints, unless the settings give another value."""


class Trainee(Protocol):
    """Something to train: every step is a function of its state and of the step's number."""

    device: torch.device

    def step(self, step: int) -> str:
        """Do the step with number `step`, from 0; return a note to show with the progress, such as the loss.

        Raises:
            MastError: the training diverged.
        """

    def state(self) -> dict[str, Any]:
        """Return all that steps change: tensors, numbers, strings, lists and dictionaries."""

    def load(self, state: dict[str, Any]) -> None:
        """Restore a state that `state` returned."""

    def check(self, done: int) -> None:
        """Raise MastError unless all is finite after `done` steps. Called before a checkpoint, and at the end."""


def train(
    trainee: Trainee,
    title: str,
    steps: int,
    images: int,
    checkpoints: Checkpoints,
    world: World = ALONE,
    minutes: float | None = None,
) -> None:
    """Train to the end, from the newest checkpoint if there is one. The last checkpoint holds the finished state.

    Args:
        trainee: what is trained.
        title: title of the progress that is shown.
        steps: number of steps of the whole training run.
        images: number of images in a step, over all processes.
        checkpoints: where to save, and resume from.
        world: the processes that share this training run; the first one writes.
        minutes: minutes between two checkpoints; `MINUTES` by default.

    Raises:
        MastError: the training diverged, or the processes see different checkpoints.
        StoppedBySignalError: a signal to stop arrived (`mast.signals.CAUGHT`); a checkpoint was written first.
    """
    done = _resume(trainee, checkpoints, world)
    between = 60 * (MINUTES if minutes is None else minutes)
    stream = sys.stderr if world.leads else io.StringIO()

    def save(step: int) -> None:
        trainee.check(step)
        if world.leads:
            checkpoints.save(step, trainee.state())

    with stop_requests() as stop, Progress(title, (steps - done) * images, stream=stream) as progress:
        saved_at = time.monotonic()
        for step in range(done, steps):
            if world.any(stop()):
                save(step)
                raise StoppedBySignalError(f"stopped by a signal after step {step} of {steps}; run again to continue")
            if time.monotonic() - saved_at > between:
                save(step)
                saved_at = time.monotonic()
            progress.update(images, trainee.step(step))
    if done < steps:
        save(steps)


def _resume(trainee: Trainee, checkpoints: Checkpoints, world: World) -> int:
    """Restore the newest checkpoint; return the number of steps that it has done, 0 if there is none."""
    state = checkpoints.load(trainee.device)
    done = 0 if state is None else state["step"]
    if not world.agree(done):
        raise MastError(
            f"{checkpoints.directory}: processes see different checkpoints; all nodes must share this directory"
        )
    if state is not None:
        trainee.load(state)
    return done
