"""The one trainer: it steps, saves checkpoints, resumes, and stops when a signal asks for it.

What is trained is a `Trainee`. The trainer knows nothing of losses, data or logs; pretraining, linear heads,
fine-tuning and detection give it theirs.
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
"""Between two checkpoints of a training whose settings do not say."""


class Trainee(Protocol):
    """A training: every step is a function of its state and of the step's number."""

    device: torch.device

    def step(self, step: int) -> str:
        """Do one step, from 0; return a note that is shown beside the progress, such as the loss.

        Raises:
            MastError: the training diverged.
        """

    def state(self) -> dict[str, Any]:
        """All that steps change: tensors, numbers, strings, lists and dictionaries."""

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""

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
    """Train to the end, from the newest checkpoint if there is one. The last checkpoint holds the finished training.

    Args:
        trainee: what is trained.
        title: of the progress that is shown.
        steps: number of steps of the whole training.
        images: number of images in a step, over all processes.
        checkpoints: where to save, and resume from.
        world: the processes that share this training; the first one writes.
        minutes: between two checkpoints; `MINUTES` by default.

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
                raise StoppedBySignalError(f"stopped by a signal after step {step} of {steps}; run again to go on")
            if time.monotonic() - saved_at > between:
                save(step)
                saved_at = time.monotonic()
            progress.update(images, trainee.step(step))
    if done < steps:
        save(steps)


def _resume(trainee: Trainee, checkpoints: Checkpoints, world: World) -> int:
    """Take over the newest checkpoint; the number of steps that it has done, 0 where there is none."""
    state = checkpoints.load(trainee.device)
    done = 0 if state is None else state["step"]
    if not world.agree(done):
        raise MastError(f"{checkpoints.directory}: processes see different checkpoints; all nodes must share it")
    if state is not None:
        trainee.load(state)
    return done
