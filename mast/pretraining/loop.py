"""The training loop: every step is a pure function of the weights, the seed and the step's number."""

import io
import sys
from contextlib import nullcontext
from typing import Any

import torch

from mast.checkpoint import Checkpoints, Saver
from mast.config import PretrainSpec
from mast.data.prepared.batches import TrainingBatches
from mast.distributed import ALONE, World
from mast.errors import MastError
from mast.models.encoder import first_not_finite
from mast.pretraining.collapse import CollapseWatch
from mast.pretraining.learners import Learner, Outcome
from mast.pretraining.metrics_log import Curves
from mast.pretraining.optim import build_optimizer, learning_rate, set_learning_rate
from mast.pretraining.window import Window
from mast.progress import Progress
from mast.signals import stop_requests


def train(
    learner: Learner,
    batches: TrainingBatches,
    spec: PretrainSpec,
    seed: int,
    device: torch.device,
    checkpoints: Checkpoints,
    curves: Curves,
    world: World = ALONE,
) -> None:
    """Train to the end, from the newest checkpoint if there is one.

    Args:
        learner: the model, on `device`.
        batches: deterministic batches.
        spec: resolved settings.
        seed: decides augmentations; with `batches` and the initial weights it decides everything.
        device: where to train.
        checkpoints: where to save, and resume from.
        curves: where a line is added every `log_every` steps.
        world: the processes that share this training; rank 0 writes.

    Raises:
        MastError: the loss or a weight is not finite; the processes cannot share a batch, or see different checkpoints.
        StoppedBySignalError: a signal to stop arrived (`mast.signals.CAUGHT`); a checkpoint was written first.
    """
    training = _Training(learner, batches, spec, seed, device, checkpoints, curves, world)
    images_left = (training.total - training.done) * spec.batch_size
    stream = sys.stderr if world.leads else io.StringIO()
    with stop_requests() as stop_requested, Progress(f"pretrain {spec.method}", images_left, stream=stream) as progress:
        saver = Saver(training.total, training.save, lambda: world.any(stop_requested()), spec.checkpoint_minutes)
        while training.done < training.total:
            saver.before(training.done)
            training.step()
            progress.update(spec.batch_size)
            if training.done % spec.log_every == 0 or training.done == training.total:
                training.log()


class _Training:
    """A training under way: all that its steps change, and how that is saved and taken over."""

    def __init__(
        self,
        learner: Learner,
        batches: TrainingBatches,
        spec: PretrainSpec,
        seed: int,
        device: torch.device,
        checkpoints: Checkpoints,
        curves: Curves,
        world: World,
    ) -> None:
        self.learner, self.batches, self.spec, self.seed, self.device = learner, batches, spec, seed, device
        self.checkpoints, self.curves, self.world = checkpoints, curves, world
        self.shares = _shares(spec, world)
        self.total = spec.epochs * batches.steps_per_epoch
        learner.world = world
        world.prepare(learner)
        if spec.compile:
            learner.compile_networks()
        fast_factor = spec.mast.masks.lr_factor if spec.mast else 1.0
        self.optimizer = build_optimizer(learner, learner.fast_parameters(), fast_factor, spec.optimizer)
        self.scaler = torch.amp.GradScaler(device.type, enabled=spec.precision == "fp16")
        self.window = Window()
        self.generator = torch.Generator()
        self.done = self._resume()
        self.watch = CollapseWatch(spec, curves.records)
        self.model = world.wrap(learner).train()

    def step(self) -> None:
        """One step of the optimiser."""
        spec, step = self.spec, self.done
        rate = learning_rate(spec.optimizer, step, self.batches.steps_per_epoch, spec.epochs, spec.batch_size)
        set_learning_rate(self.optimizer, rate)
        self.generator.manual_seed(step_seed(self.seed, step))
        self.optimizer.zero_grad(set_to_none=True)
        parts = []
        for share in self.shares:
            images, labels = self.batches.batch(*divmod(step, self.batches.steps_per_epoch), share)
            images = images.to(self.device, non_blocking=True)
            labels = labels.to(self.device, non_blocking=True) if labels is not None else None
            with nullcontext() if share is self.shares[-1] or self.world.size == 1 else self.model.no_sync():
                parts.append(self.model(images, labels, self.generator))
                self.scaler.scale(parts[-1].loss / len(self.shares)).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.window.add(_mean(parts), spec.batch_size, rate)
        self.done = step + 1

    def log(self) -> None:
        """Add a line to the curve."""
        self._require_finite(weights=self.done == self.total)
        progress = {"step": self.done, "epoch": self.done / self.batches.steps_per_epoch}
        record = {**progress, **self.window.close(), **self.learner.indicators()}
        if self.world.leads:
            self.curves.add({**record, **self.watch.signs(record)})

    def save(self, step: int) -> None:
        """Write a checkpoint after `step` steps."""
        self._require_finite(weights=True)
        if not self.world.leads:
            return
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        self.checkpoints.save(step, {**parts, "records": self.curves.records, "window": self.window.state()})

    def _resume(self) -> int:
        """Take over the newest checkpoint; the number of steps that it has done, 0 where there is none."""
        state, done = self.checkpoints.load(self.device), 0
        if state is not None:
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self.window.resume(state["window"])
            done = state["step"]
        if not self.world.agree(done):
            raise MastError(
                f"{self.checkpoints.directory}: processes see different checkpoints; all nodes must share it"
            )
        if self.world.leads:
            self.curves.restart(state["records"] if state else [])
        return done

    def _parts(self) -> dict[str, Any]:
        return {"learner": self.learner, "optimizer": self.optimizer, "scaler": self.scaler}

    def _require_finite(self, weights: bool) -> None:
        bad = self.window.first_bad(self.done)
        if bad is None and weights and (name := first_not_finite(self.learner)) is not None:
            bad = f"{name} is not finite after step {self.done}"
        if bad is not None:
            newest = self.checkpoints.newest()
            good = "no checkpoint was saved before" if newest is None else f"the last good checkpoint is {newest}"
            raise MastError(f"training diverged: {bad}; {good}; lower optimizer.lr or use fp32")


def step_seed(seed: int, step: int) -> int:
    """Seed of the augmentations of one step: distinct for every (seed < 2³¹, step < 2³²)."""
    return (seed << 32) + step


def _shares(spec: PretrainSpec, world: World) -> list[slice]:
    """This process's rows of a batch, one slice for each of the `accumulate` parts of a step.

    Raises:
        MastError: the batch cannot be shared out evenly.
    """
    parts = spec.accumulate * world.size
    if spec.batch_size % parts or spec.batch_size // spec.accumulate < 2:
        raise MastError(
            f"batch_size: {spec.batch_size} images cannot be shared out over {world.size} processes × "
            f"accumulate {spec.accumulate}; set a multiple of {parts}, at least {2 * spec.accumulate}"
        )
    own, whole = world.rows(spec.batch_size // parts), spec.batch_size // spec.accumulate
    return [slice(part * whole + own.start, part * whole + own.stop) for part in range(spec.accumulate)]


def _mean(parts: list[Outcome]) -> Outcome:
    """The mean of loss and terms over the parts of a step, detached; the last part's representation."""
    if len(parts) == 1:
        return parts[0]
    terms = {name: torch.stack([part.terms[name].detach() for part in parts]).mean() for name in parts[0].terms}
    return Outcome(torch.stack([part.loss.detach() for part in parts]).mean(), terms, parts[-1].embedding)
