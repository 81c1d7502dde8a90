"""The training loop: every step is a pure function of the weights, the seed and the step's number."""

import io
import sys
import time
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from mast.checkpoint import Checkpoints
from mast.config import PretrainSpec
from mast.data.batches import TrainingBatches
from mast.errors import MastError
from mast.pretrain.collapse import CollapseWatch
from mast.pretrain.curves import Curves, Record
from mast.pretrain.distributed import ALONE, World
from mast.pretrain.indicators import effective_rank, embedding_std
from mast.pretrain.learners import Learner, Outcome
from mast.pretrain.optim import build_optimizer, learning_rate, set_learning_rate
from mast.progress import Progress
from mast.signals import StoppedBySignalError, stop_requests


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
    shares = _shares(spec, world)
    learner.world = world
    world.prepare(learner)
    if spec.compile:
        learner.compile_networks()
    fast_factor = spec.mast.masks.lr_factor if spec.mast else 1.0
    optimizer = build_optimizer(learner, learner.fast_parameters(), fast_factor, spec.optimizer)
    scaler = torch.amp.GradScaler(device.type, enabled=spec.precision == "fp16")
    start, window = 0, _Window()
    if (state := checkpoints.load(device)) is not None:
        learner.load_state_dict(state["learner"])
        optimizer.load_state_dict(state["optimizer"])
        scaler.load_state_dict(state["scaler"])
        window.resume(state["window"])
        start = state["step"]
    if not world.agree(start):
        raise MastError(f"{checkpoints.directory}: processes see different checkpoints; all nodes must share it")
    if world.leads:
        curves.restart(state["records"] if state else [])
    watch = CollapseWatch(spec, curves.records)
    model = world.wrap(learner)

    def require_finite(step: int, weights: bool = False) -> None:
        bad = window.first_bad(step) or (_first_bad_weight(learner, step) if weights else None)
        if bad is not None:
            newest = checkpoints.newest()
            good = "no checkpoint was saved before" if newest is None else f"the last good checkpoint is {newest}"
            raise MastError(f"training diverged: {bad}; {good}; lower optimizer.lr or use fp32")

    def save(step: int) -> None:
        require_finite(step, weights=True)
        if not world.leads:
            return
        states = {"learner": learner.state_dict(), "optimizer": optimizer.state_dict(), "scaler": scaler.state_dict()}
        checkpoints.save(step, {**states, "records": curves.records, "window": window.state()})

    learner.train()
    generator = torch.Generator()
    total = spec.epochs * batches.steps_per_epoch
    saved_at = time.monotonic()
    images_left = (total - start) * spec.batch_size
    stream = sys.stderr if world.leads else io.StringIO()
    with stop_requests() as stop_requested, Progress(f"pretrain {spec.method}", images_left, stream=stream) as progress:
        for step in range(start, total):
            rate = learning_rate(spec.optimizer, step, batches.steps_per_epoch, spec.epochs, spec.batch_size)
            set_learning_rate(optimizer, rate)
            generator.manual_seed(step_seed(seed, step))
            optimizer.zero_grad(set_to_none=True)
            parts = []
            for share in shares:
                images, labels = batches.batch(*divmod(step, batches.steps_per_epoch), share)
                images = images.to(device, non_blocking=True)
                labels = labels.to(device, non_blocking=True) if labels is not None else None
                with nullcontext() if share is shares[-1] or world.size == 1 else model.no_sync():
                    parts.append(model(images, labels, generator))
                    scaler.scale(parts[-1].loss / len(shares)).backward()
            scaler.step(optimizer)
            scaler.update()
            window.add(_mean(parts), spec.batch_size)
            progress.update(spec.batch_size)
            done = step + 1
            if done % spec.log_every == 0 or done == total:
                require_finite(done, weights=done == total)
                line = {"step": done, "epoch": done / batches.steps_per_epoch, "lr": rate}
                record = {**line, **window.close(), **learner.indicators()}
                if world.leads:
                    curves.add({**record, **watch.signs(record)})
            if world.any(stop_requested()):
                save(done)
                raise StoppedBySignalError(f"stopped by a signal after step {done} of {total}; run again to go on")
            if time.monotonic() - saved_at > 60 * spec.checkpoint_minutes:
                save(done)
                saved_at = time.monotonic()


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


def _first_bad_weight(learner: Learner, step: int) -> str | None:
    for name, tensor in learner.state_dict().items():
        if not torch.isfinite(tensor).all():
            return f"{name} is not finite after step {step}"
    return None


def _mean(parts: list[Outcome]) -> Outcome:
    """The mean of loss and terms over the parts of a step, detached; the last part's representation."""
    if len(parts) == 1:
        return parts[0]
    terms = {name: torch.stack([part.terms[name].detach() for part in parts]).mean() for name in parts[0].terms}
    return Outcome(torch.stack([part.loss.detach() for part in parts]).mean(), terms, parts[-1].embedding)


class _Window:
    """Means of the terms since the last logged line, without a device synchronisation per step."""

    def __init__(self) -> None:
        self._terms: list[Tensor] = []
        self._names: list[str] = []
        self._embedding: Tensor | None = None
        self._images = 0
        self._since = time.monotonic()

    def add(self, outcome: Outcome, images: int) -> None:
        self._names = ["loss", *outcome.terms]
        self._terms.append(torch.stack([outcome.loss, *outcome.terms.values()]).detach())
        self._embedding = outcome.embedding
        self._images += images

    def state(self) -> dict[str, Any]:
        """What is kept in a checkpoint; the embedding is not, since a step follows before the window is closed."""
        return {"terms": self._terms, "names": self._names, "images": self._images}

    def resume(self, state: dict[str, Any]) -> None:
        self._terms, self._names, self._images = state["terms"], state["names"], state["images"]

    def first_bad(self, step: int) -> str | None:
        """The first term that is not finite, and its step, when `step` steps are done."""
        values = torch.stack(self._terms) if self._terms else torch.zeros(0, 0)
        wrong = (~torch.isfinite(values)).cpu().nonzero()
        if not len(wrong):
            return None
        row = int(wrong[0, 0])
        terms = [self._names[column] for column in wrong[wrong[:, 0] == row, 1]]
        name = next((term for term in terms if term != "loss"), "loss")
        return f"{name} is not finite at step {step - len(values) + 1 + row}"

    def close(self) -> Record:
        """The window's line; starts the next window."""
        values = torch.stack(self._terms).cpu()
        means = dict(zip(self._names, values.mean(dim=0).tolist(), strict=True))
        indicators = {
            "embedding_std": float(embedding_std(self._embedding)),
            "effective_rank": float(effective_rank(self._embedding)),
        }
        speed = {"images_per_second": round(self._images / max(time.monotonic() - self._since, 1e-9), 1)}
        self.__init__()
        return {**means, **indicators, **speed}
