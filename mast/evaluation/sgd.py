"""Training of classification heads, with or without the encoder, by SGD on crops and flips."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mast.augment.operations.crop import Crop
from mast.augment.operations.flip import Flip
from mast.augment.policy import Policy
from mast.augment.settings import PolicySpec
from mast.checkpoint import Checkpoints
from mast.data.crops import HEADS
from mast.data.prepared.batches import TrainingBatches
from mast.data.prepared.subset import Images
from mast.distributed import ALONE, World
from mast.errors import MastError
from mast.evaluation.drawing import Drawing
from mast.evaluation.features import gathered
from mast.evaluation.heads import parameter_groups
from mast.evaluation.images import LabelledImages, part_count
from mast.evaluation.schedule import share
from mast.memory import memory_for
from mast.models.encoder import normalise
from mast.models.encoder_file import load_finite_encoder, normalisation
from mast.models.precision import autocast, scaler
from mast.training import train

MOMENTUM = 0.9
"""Momentum of SGD (facebookresearch/vicreg, evaluate.py; facebookresearch/vissl)."""

HEAD_STD = 0.01
"""Standard deviation of the head's weights at the start; its biases start at 0 (evaluate.py)."""


class SgdSettings(Protocol):
    """Settings of a protocol that training reads."""

    kind: str
    epochs: int
    batch_size: int
    lr_head: float
    lr_batch: int | None
    weight_decay: float
    nesterov: bool
    schedule: str
    milestones: tuple[int, ...] | None
    gamma: float
    crop: Crop
    flip: Flip
    precision: str
    last_batch_multiple: int


@dataclass(frozen=True)
class Backbone:
    """An encoder with the normalisation of its pretraining."""

    model: nn.Module
    mean: Tensor
    """Mean of images in [0, 1], float32 [1, 3, 1, 1]."""
    std: Tensor
    device: str
    norm_images: int | None = None
    """Largest number of images over which batch norm takes its statistics in train mode (an odd batch in pairs has one
    part of three).
    """
    world: World = ALONE
    """Processes that share each batch."""

    @classmethod
    def load(cls, file: Path, seed: int, device: str, norm_images: int | None = None, world: World = ALONE) -> Self:
        """Read an encoder file, in eval mode, and then set the seed of torch's global generator.

        Raises:
            MastError: the file is unusable, or a weight is not finite.
        """
        model, metadata = load_finite_encoder(file)
        torch.manual_seed(seed)
        statistics = (statistic.to(device) for statistic in normalisation(metadata))
        return cls(model.to(device), *statistics, device, norm_images, world)

    def train(self) -> None:
        """Switch to train mode. Batch norm over a whole batch takes its statistics over all processes."""
        self.model.train()
        if self.norm_images is None:
            self.world.prepare(self.model)

    def parts(self, size: int) -> list[slice]:
        """Return this process's images of a batch of `size`: a slice for each part that it computes, possibly none."""
        own = self.world.share(size)
        if not self.model.training:
            return [own] if own.start < own.stop else []
        if self.norm_images is None:  # even without images it takes part in the shared normalisation
            return [own]
        rows = np.array_split(np.arange(size), part_count(size, self.norm_images))
        return [slice(int(part[0]), int(part[-1]) + 1) for part in rows[self.world.share(len(rows))]]

    def features(self, view: Tensor, sizes: list[int] | None = None) -> Tensor:
        """Return features [B, D] of float images [B, 3, S, S] in [0, 1].

        In train mode the parts of a batch correspond to the GPUs of distributed training without synchronised batch
        norm: each part is normalised by itself, and the running statistics are those of the first (torch's
        DistributedDataParallel broadcasts the buffers of rank 0).

        Args:
            view: this process's images.
            sizes: sizes of the parts; by default the view is a whole batch.
        """
        images = normalise(view, self.mean, self.std)
        sizes = sizes_of(self.parts(len(view))) if sizes is None else sizes
        parts = images.split(sizes) if sizes else ()
        counted = 1 if self.world.leads or self.norm_images is None else 0
        features = [self.model(part) for part in parts[:counted]]
        with _running_statistics_kept(self.model):
            features += [self.model(part) for part in parts[counted:]]
        return torch.cat(features) if features else images.new_empty(0, self.model.num_features)

    def encode(self, images: Images) -> Tensor | None:
        """Return features of uint8 images [N, H, W, 3] in eval mode, float32 [N, D]; None in all processes but the
        first.
        """
        features = gathered(self.model, images, self.mean, self.std, self.device, world=self.world)
        return None if features is None else torch.from_numpy(features).to(self.device)


def sizes_of(parts: Iterable[slice]) -> list[int]:
    """Return the number of rows in each of some slices."""
    return [part.stop - part.start for part in parts]


@contextmanager
def _running_statistics_kept(model: nn.Module) -> Iterator[None]:
    """Keep the running mean and variance of batch norm in train mode unchanged within the block."""
    layers = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


def build_heads(backbone: Backbone, classes: Iterable[int]) -> nn.ModuleList:
    """Return a linear classifier for each number of classes, drawn from torch's global generator."""
    heads = nn.ModuleList(nn.Linear(backbone.model.num_features, count) for count in classes)
    for head in heads:
        nn.init.normal_(head.weight, std=HEAD_STD)
        nn.init.zeros_(head.bias)
    return heads.to(backbone.device)


class HeadTraining:
    """A `mast.training.Trainee`: a linear head for each column of the labels; cross-entropy, summed over the heads.

    An interrupted run resumes from its last checkpoint. On one CPU its weights are those of an uninterrupted run, byte
    for byte.
    """

    def __init__(
        self,
        protocol: str,
        spec: SgdSettings,
        backbone: Backbone,
        heads: nn.ModuleList,
        images: LabelledImages,
        seed: int,
        lr_backbone: float | None = None,
        score: Callable[[], Any] = lambda: None,
    ) -> None:
        """Prepare to train in place, in all processes of the backbone's world.

        Args:
            protocol: name in the configuration, for messages.
            spec: settings of training.
            backbone: the encoder below the heads.
            heads: a linear classifier for each column of the labels.
            images: images to train on.
            seed: seed of the order of the images and of the augmentations.
            lr_backbone: learning rate of the backbone at the start; None freezes it.
            score: function whose result is kept for each epoch in `history`: numbers, strings, lists and dictionaries.
                Only the first process calls it.

        Raises:
            MastError: there are fewer images than one batch.
        """
        if len(images.train_images) < spec.batch_size:
            raise MastError(
                f"protocols.{protocol}.batch_size: {spec.batch_size}, but there are {len(images.train_images)} "
                "labelled training images; choose no more than that"
            )
        self.protocol, self.spec, self.heads, self.score = protocol, spec, heads, score
        self.device = torch.device(backbone.device)
        self.history: list[Any] = []
        frozen = lr_backbone is None
        groups = parameter_groups(heads)
        groups += [] if frozen else [{"params": backbone.model.parameters(), "lr": lr_backbone}]
        fixed = {"momentum": MOMENTUM, "dampening": 0, "nesterov": spec.nesterov}
        self._optimizer = torch.optim.SGD(groups, lr=spec.lr_head, weight_decay=spec.weight_decay, **fixed)
        scale = 1.0 if spec.lr_batch is None else spec.batch_size / spec.lr_batch
        self._starts = [scale * group["lr"] for group in self._optimizer.param_groups]
        self._modules = nn.ModuleList([heads] if frozen else [heads, backbone.model])
        self._scaler = scaler(spec.precision, self.device)
        self._backbone, self._world = backbone, backbone.world
        self._features = torch.no_grad()(backbone.features) if frozen else backbone.features
        order = {"seed": seed, "keep_last": True, "parts": spec.last_batch_multiple}
        pinned = self.device.type == "cuda"
        self._batches = TrainingBatches(
            images.train_images, images.train_labels, spec.batch_size, **order, pin_memory=pinned
        )
        policy = PolicySpec(augmentations=("crop", "flip"), crop=spec.crop, flip=spec.flip)
        policy = Policy(policy, images.train_images.shape[1])
        self._drawing = Drawing(policy, self._batches, seed, spec.crop.interpolation or HEADS)
        self._loss, self._note = torch.zeros(()), ""

    def run(self, checkpoints: Checkpoints) -> None:
        """Train to the end, from the newest of the checkpoints. The last one holds the finished state.

        Raises:
            StoppedBySignalError: a signal to stop arrived (`mast.signals.CAUGHT`); a checkpoint was written first.
            MastError: the loss or a weight is not finite after an epoch.
        """
        steps = self.spec.epochs * self._batches.steps_per_epoch
        size = f"protocols.{self.protocol}.batch_size: {self.spec.batch_size} images in {self.spec.precision}"
        with memory_for(size):
            train(self, self.spec.kind, steps, self.spec.batch_size, checkpoints, self._world)
        self._world.take_buffers(self._modules)  # running statistics are those of the first process

    def step(self, step: int) -> str:
        """Train on one batch; at the end of an epoch, its score is added to the history."""
        epoch, within = divmod(step, self._batches.steps_per_epoch)
        for group, start in zip(self._optimizer.param_groups, self._starts, strict=True):
            group["lr"] = start * share(self.spec, epoch)
        size = self._batches.size(within)
        parts = self._backbone.parts(size)
        own = slice(parts[0].start, parts[-1].stop) if parts else slice(0)
        rows = slice(None) if self._world.size == 1 else own
        uint8, labels = self._batches.batch(epoch, within, rows, crops=self._drawing.crops)
        uint8, labels = (values.to(self.device, non_blocking=True) for values in (uint8, labels))
        view = self._drawing.view(step, uint8, rows)
        self._loss = self._descend(view, labels, sizes_of(parts), len(labels) / size)
        if within == self._batches.steps_per_epoch - 1:
            self.check(step + 1)
            self._note = f"loss {self._loss.item():.3f}"  # read once an epoch: each read waits for a GPU
            self.history.append(self.score() if self._world.leads else None)
        return self._note

    def state(self) -> dict[str, Any]:
        """Return weights, optimiser, scaler of fp16, generator of the augmentations, and history."""
        weights, optimizer = self._modules.state_dict(), self._optimizer.state_dict()
        random = {"generator": self._drawing.state(), "history": self.history}
        return {"modules": weights, "optimizer": optimizer, "scaler": self._scaler.state_dict(), **random}

    def load(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        self._modules.load_state_dict(state["modules"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state.get("scaler", {}))  # checkpoints of earlier versions have none
        self._drawing.load(state["generator"].cpu())
        self.history = state["history"]

    def check(self, done: int) -> None:
        """Raise MastError unless the last loss and the trained weights are finite."""
        if not (torch.isfinite(self._loss) and all(torch.isfinite(weights).all() for weights in self._trained())):
            epoch = math.ceil(done / self._batches.steps_per_epoch)
            raise MastError(
                f"protocols.{self.protocol}.lr_head: training diverged in epoch {epoch}; "
                f"choose less than {self.spec.lr_head:g}"
            )

    def _descend(self, view: Tensor, labels: Tensor, sizes: list[int], weight: float) -> Tensor:
        """Do one step on this process's share of a batch, in parts of these sizes; return the whole batch's loss."""
        with autocast(self.spec.precision, self.device):
            features = self._features(view, sizes)
        scores = [head(features.float()) for head in self.heads]
        if len(labels):
            losses = [functional.cross_entropy(own, labels[:, t]) for t, own in enumerate(scores)]
            loss = weight * torch.stack(losses).sum()
        else:
            loss = torch.stack([own.sum() for own in scores]).sum()
        self._optimizer.zero_grad()
        self._scaler.scale(loss).backward()
        total = self._world.add_up(self._trained(), loss)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return total

    def _trained(self) -> list[nn.Parameter]:
        return [weights for group in self._optimizer.param_groups for weights in group["params"]]
