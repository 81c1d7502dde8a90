"""Training of classification heads, with or without the encoder, by SGD on crops and flips."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mast.augment.policy import Policy
from mast.augment.settings import PolicySpec
from mast.checkpoint import Checkpoints, Saver
from mast.config import LinearSgdProtocol, SemiProtocol
from mast.data.prepared.batches import TrainingBatches
from mast.errors import MastError
from mast.evaluation.images import LabelledImages
from mast.progress import Progress
from mast.signals import stop_requests

MOMENTUM = 0.9
"""Of SGD (facebookresearch/vicreg, evaluate.py)."""

HEAD_STD = 0.01
"""Standard deviation of the head's weights at the start; its biases start at 0 (evaluate.py)."""


@dataclass(frozen=True)
class Training:
    """What is trained, and how."""

    protocol: str
    """Name in the configuration, for messages."""
    spec: LinearSgdProtocol | SemiProtocol
    features: Callable[[Tensor], Tensor]
    """Maps views, float [B, 3, S, S] in [0, 1], to features [B, D]."""
    heads: nn.ModuleList
    """A linear classifier for each column of the labels."""
    modules: nn.ModuleList
    """All that training changes: the heads, and what lies below them if it is trained too."""
    optimizer: torch.optim.SGD
    """Its groups' learning rates are those of the start."""
    seed: int
    """Of the order of the images and of the augmentations."""
    device: str
    checkpoints: Checkpoints
    """Where training goes on from, if it was interrupted."""
    history: list[Any] = field(default_factory=list)
    """What the caller notes after each epoch: numbers, strings, lists and dictionaries. Kept in the checkpoints."""


def identity(spec: LinearSgdProtocol | SemiProtocol, version: int, origin: Mapping[str, str]) -> dict[str, Any]:
    """What must be the same for a checkpoint to be taken over: settings, code version, encoder and task."""
    made_from = {key: origin[key] for key in ("seed", "encoder_sha256", "task_sha256")}
    return {"settings": spec.model_dump_json(), "version": version, **made_from}


def build_heads(features: int, classes: Sequence[int]) -> nn.ModuleList:
    """A linear classifier for each number of classes, drawn from torch's global generator."""
    heads = nn.ModuleList(nn.Linear(features, count) for count in classes)
    for head in heads:
        nn.init.normal_(head.weight, std=HEAD_STD)
        nn.init.zeros_(head.bias)
    return heads


def build_optimizer(spec: LinearSgdProtocol | SemiProtocol, groups: Sequence[dict]) -> torch.optim.SGD:
    """SGD over parameter groups with their own learning rates."""
    return torch.optim.SGD(groups, lr=spec.lr_head, momentum=MOMENTUM, weight_decay=spec.weight_decay)


def train_epochs(training: Training, images: LabelledImages) -> Iterator[int]:
    """Train in place and yield after each epoch, from 0; cross-entropy summed over the heads.

    An interrupted training goes on from its last checkpoint, and yields the epochs that are left. On one CPU the
    weights are those of an undisturbed training, byte for byte.

    Raises:
        StoppedBySignalError: a signal to stop arrived (`mast.signals.CAUGHT`); a checkpoint was written first.
        MastError: fewer images than one batch, or the loss or a weight is not finite after an epoch.
    """
    spec = training.spec
    if len(images.train_images) < spec.batch_size:
        raise MastError(
            f"protocols.{training.protocol}.batch_size: {spec.batch_size}, but there are {len(images.train_images)} "
            "labelled training images; choose no more than that"
        )
    batches = TrainingBatches(images.train_images, images.train_labels, spec.batch_size, training.seed)
    policy = Policy(
        PolicySpec(augmentations=("crop", "flip"), crop=spec.crop, flip=spec.flip), images.train_images.shape[1]
    )
    generator = torch.Generator().manual_seed(training.seed)
    starts = [group["lr"] for group in training.optimizer.param_groups]
    done, total = _resume(training, generator), spec.epochs * batches.steps_per_epoch

    def save(step: int) -> None:
        training.checkpoints.save(step, _state(training, generator))

    with stop_requests() as stop, Progress(spec.kind, (total - done) * spec.batch_size) as progress:
        saver = Saver(total, save, stop)
        for step in range(done, total):
            saver.before(step)
            epoch, within = divmod(step, batches.steps_per_epoch)
            for group, start in zip(training.optimizer.param_groups, starts, strict=True):
                group["lr"] = start * cosine(epoch, spec.epochs)
            uint8, labels = batches.batch(epoch, within)
            view = policy.apply(uint8.to(training.device), policy.sample(len(uint8), 0, generator))
            loss = _step(training, view, labels.to(training.device))
            progress.update(len(uint8))
            if within == batches.steps_per_epoch - 1:
                _check_finite(training, loss, epoch)
                yield epoch
        if done < total:
            save(total)


def cosine(epoch: int, epochs: int) -> float:
    """Share of the learning rate in an epoch, from 1 towards 0 (evaluate.py steps its schedule once per epoch)."""
    return (1 + math.cos(math.pi * epoch / epochs)) / 2


def _resume(training: Training, generator: torch.Generator) -> int:
    """Take over the newest checkpoint; the number of steps that it has done, 0 where there is none."""
    state = training.checkpoints.load(torch.device(training.device))
    if state is None:
        return 0
    training.modules.load_state_dict(state["modules"])
    training.optimizer.load_state_dict(state["optimizer"])
    generator.set_state(state["generator"].cpu())
    training.history[:] = state["history"]
    return state["step"]


def _state(training: Training, generator: torch.Generator) -> dict[str, Any]:
    weights, optimizer = training.modules.state_dict(), training.optimizer.state_dict()
    return {"modules": weights, "optimizer": optimizer, "generator": generator.get_state(), "history": training.history}


def _check_finite(training: Training, loss: float, epoch: int) -> None:
    trained = [weights for group in training.optimizer.param_groups for weights in group["params"]]
    if not (math.isfinite(loss) and all(torch.isfinite(weights).all() for weights in trained)):
        raise MastError(
            f"protocols.{training.protocol}.lr_head: training diverged in epoch {epoch + 1}; "
            f"choose less than {training.spec.lr_head:g}"
        )


def _step(training: Training, view: Tensor, labels: Tensor) -> float:
    features = training.features(view)
    losses = [functional.cross_entropy(head(features), labels[:, t]) for t, head in enumerate(training.heads)]
    loss = torch.stack(losses).sum()
    training.optimizer.zero_grad()
    loss.backward()
    training.optimizer.step()
    return loss.item()
