"""Pretraining of one run, step by step: every step is a function of the weights, the seed and the step's number."""

from contextlib import nullcontext
from typing import Any

import torch

from mast.augment.views import Drawn
from mast.checkpoint import Checkpoints
from mast.config.pretrain import PretrainSpec
from mast.data.crops import PRETRAINING, CropBoxes
from mast.data.prepared.batches import TrainingBatches
from mast.distributed import World
from mast.errors import MastError
from mast.learner import Learner
from mast.methods import Outcome
from mast.models.encoder_file import first_not_finite
from mast.models.precision import scaler
from mast.pretraining.collapse import CollapseWatch
from mast.pretraining.metrics_log import MetricsLog
from mast.pretraining.monitor import Monitor
from mast.pretraining.optim import build_optimizer, learning_rate, set_learning_rate
from mast.pretraining.window import Window


class Pretraining:
    """Trainee of `mast.training.train`: a learner, its optimiser, and the lines that are logged about it."""

    def __init__(
        self,
        learner: Learner,
        batches: TrainingBatches,
        seed: int,
        checkpoints: Checkpoints,
        log: MetricsLog,
        monitor: Monitor | None = None,
    ) -> None:
        """Prepare the first step; the log begins anew.

        Args:
            learner: the model, on the device where it is trained.
            batches: deterministic batches.
            seed: seed of the augmentations; with `batches` and the initial weights it fixes the whole run.
            checkpoints: where the trainer saves; named in messages.
            log: log that gets a line every `log_every` steps.
            monitor: measures the encoder at intervals; the result is part of the next line. Of several processes only
                the first has one.

        Raises:
            MastError: the processes cannot share a batch, or there is no compiler for `compile`.
        """
        self.learner, self.batches, self.seed, self.checkpoints, self.log = learner, batches, seed, checkpoints, log
        self.monitor, self.seen = monitor, {}
        self.spec, self.world, self.device = learner.spec, learner.world, learner.mean.device
        sizes = [batches.size(step) for step in range(batches.steps_per_epoch)]
        self.shares = {size: shares(self.spec, self.world, size) for size in sizes}
        self.epoch_images = sum(sizes)
        self.steps = self.spec.epochs * batches.steps_per_epoch
        if self.spec.compile:
            learner.compile_networks()
        self.optimizer = build_optimizer(learner, *learner.method.fast_parameters(learner), self.spec.optimizer)
        self.scaler = scaler(self.spec.precision, self.device)
        self.window = Window(self.spec.batch_size if len(self.shares) > 1 else 0)
        self.generator = torch.Generator()
        self.crops = self._crops if batches.in_place and "crop" in learner.policy.names else None
        self.drawn: dict[int, list[Drawn]] = {}
        self._restart_log([])
        self.model = self.world.wrap(learner).train()

    def step(self, step: int) -> str:
        """Do one step of the optimiser, and log a line if one is due."""
        rate = learning_rate(
            self.spec.optimizer, step, self.batches.steps_per_epoch, self.spec.epochs, self.spec.batch_size
        )
        set_learning_rate(self.optimizer, rate)
        self.optimizer.zero_grad(set_to_none=True)
        epoch, within = divmod(step, self.batches.steps_per_epoch)
        size, parts = self.batches.size(within), []
        own, drawn = self.shares[size], self._draws(step)
        for share, views in zip(own, drawn, strict=True):
            images, labels = self.batches.batch(epoch, within, share, self.crops)
            images = images.to(self.device, non_blocking=True)
            labels = labels.to(self.device, non_blocking=True) if labels is not None else None
            with nullcontext() if share is own[-1] or self.world.size == 1 else self.model.no_sync():
                parts.append(self.model(images, labels, views))
                self.scaler.scale(parts[-1].loss / len(own)).backward()
        del self.drawn[step]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.window.add(_mean(parts), size, rate)
        done = step + 1
        if self.monitor is not None and self.monitor.due(done, self.steps):
            self.seen = self.monitor.look()
        if done % self.spec.log_every == 0 or done == self.steps:
            self._write_line(done)
        return ""

    def state(self) -> dict[str, Any]:
        """Return the state; see mast.training.Trainee."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return {**parts, "records": self.log.records, "window": self.window.state(), "seen": self.seen}

    def load(self, state: dict[str, Any]) -> None:
        """Restore a state; see mast.training.Trainee."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.window.resume(state["window"])
        self.seen = state.get("seen", {})  # checkpoints of earlier versions have none
        self._restart_log(state["records"])

    def check(self, done: int) -> None:
        """Raise MastError if a loss since the last line, or a weight, is not finite."""
        bad = self.window.first_bad(done)
        if bad is None and (name := first_not_finite(self.learner)) is not None:
            bad = f"{name} is not finite after step {done}"
        self._stop_if(bad)

    def _draws(self, step: int) -> list[Drawn]:
        """Draw the views of each part of a step: a function of the seed and the step's number."""
        if step not in self.drawn:
            epoch, within = divmod(step, self.batches.steps_per_epoch)
            whole = self.batches.size(within) // self.spec.accumulate
            places = [None] * self.spec.accumulate
            if self.crops is not None:
                places = self.batches.sizes(epoch, within).split(whole)
            self.generator.manual_seed(step_seed(self.seed, step))
            self.drawn[step] = [self.learner.draw(whole, self.generator, sizes) for sizes in places]
        return self.drawn[step]

    def _crops(self, epoch: int, within: int, share: slice) -> CropBoxes:
        """Return the crops of this process's images in one part of a step."""
        whole = self.batches.size(within) // self.spec.accumulate
        part, first = divmod(share.start, whole)
        drawn = self._draws(epoch * self.batches.steps_per_epoch + within)[part]
        rows = slice(first, first + share.stop - share.start)
        return CropBoxes(drawn.boxes(rows), self.spec.policy.crop.interpolation or PRETRAINING)

    def _write_line(self, done: int) -> None:
        self._stop_if(self.window.first_bad(done))
        if done == self.steps:
            self.check(done)
        progress = {"step": done, "steps": self.steps, "epoch": done / self.batches.steps_per_epoch}
        epochs, within = divmod(done, self.batches.steps_per_epoch)
        progress["images"] = epochs * self.epoch_images + within * self.spec.batch_size
        record = {**progress, **self.window.close(), **self.learner.method.logged(self.learner), **self.seen}
        self.seen = {}
        if self.world.leads:
            self.log.add({**record, **self.watch.signs(record)})

    def _stop_if(self, bad: str | None) -> None:
        if bad is not None:
            newest = self.checkpoints.newest()
            good = "no checkpoint was saved before" if newest is None else f"the last good checkpoint is {newest}"
            raise MastError(f"training diverged: {bad}; {good}; lower optimizer.lr or use fp32")

    def _restart_log(self, records: list[dict[str, Any]]) -> None:
        if self.world.leads:
            self.log.restart(records)
        self.watch = CollapseWatch(self.spec, self.log.records)

    def _parts(self) -> dict[str, Any]:
        return {"learner": self.learner, "optimizer": self.optimizer, "scaler": self.scaler}


def step_seed(seed: int, step: int) -> int:
    """Return the seed of the augmentations of one step: distinct for every (seed < 2³¹, step < 2³²)."""
    return (seed << 32) + step


def shares(spec: PretrainSpec, world: World, size: int | None = None) -> list[slice]:
    """Return this process's rows of a batch, one slice for each of the `accumulate` parts of a step.

    Args:
        spec: settings of the run.
        world: the processes that share the batch.
        size: size of the batch; `batch_size` by default. The last batch of an epoch may be smaller.

    Raises:
        MastError: the batch cannot be divided evenly.
    """
    parts = spec.accumulate * world.size
    if spec.batch_size % parts or spec.batch_size // spec.accumulate < 2:
        raise MastError(
            f"batch_size: {spec.batch_size} images cannot be shared out over {world.size} processes × "
            f"accumulate {spec.accumulate}; set a multiple of {parts}, at least {2 * spec.accumulate}"
        )
    size = spec.batch_size if size is None else size
    own, whole = world.rows(size // parts), size // spec.accumulate
    return [slice(part * whole + own.start, part * whole + own.stop) for part in range(spec.accumulate)]


def _mean(parts: list[Outcome]) -> Outcome:
    """Return the mean of loss and terms over the parts of a step, detached, and the last part's representation."""
    if len(parts) == 1:
        return parts[0]
    terms = {name: torch.stack([part.terms[name].detach() for part in parts]).mean() for name in parts[0].terms}
    return Outcome(torch.stack([part.loss.detach() for part in parts]).mean(), terms, parts[-1].embedding)
