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
from mast.errors import MastError
from mast.evaluation.drawing import Drawing
from mast.evaluation.features import encode
from mast.evaluation.heads import parameter_groups
from mast.evaluation.images import LabelledImages
from mast.evaluation.schedule import share
from mast.memory import memory_for
from mast.models.encoder import normalise
from mast.models.encoder_file import load_finite_encoder, normalisation
from mast.training import train

MOMENTUM = 0.9
"""Of SGD (facebookresearch/vicreg, evaluate.py; facebookresearch/vissl)."""

HEAD_STD = 0.01
"""Standard deviation of the head's weights at the start; its biases start at 0 (evaluate.py)."""


class SgdSettings(Protocol):
    """What is read of a protocol's settings."""

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


@dataclass(frozen=True)
class Backbone:
    """An encoder with the normalisation of its pretraining."""

    model: nn.Module
    mean: Tensor
    """float32 [1, 3, 1, 1], of images in [0, 1]."""
    std: Tensor
    device: str
    norm_images: int | None = None
    """In train mode: batch norm takes its statistics over parts of a batch with no more images."""

    @classmethod
    def load(cls, file: Path, seed: int, device: str, norm_images: int | None = None) -> Self:
        """Read an encoder file, in eval mode, and then set the seed of torch's global generator.

        Raises:
            MastError: the file is unusable, or a weight is not finite.
        """
        model, metadata = load_finite_encoder(file)
        torch.manual_seed(seed)
        statistics = (statistic.to(device) for statistic in normalisation(metadata))
        return cls(model.to(device), *statistics, device, norm_images)

    def features(self, view: Tensor) -> Tensor:
        """Of float images [B, 3, S, S] in [0, 1]: [B, D].

        In train mode the parts of a batch are what the GPUs of a distributed training without synchronised batch norm
        see: each part is normalised by itself, and the running statistics are those of the first (torch's
        DistributedDataParallel hands out the buffers of rank 0).
        """
        images = normalise(view, self.mean, self.std)
        if not self.model.training or self.norm_images is None or len(images) <= self.norm_images:
            return self.model(images)
        first, *others = images.tensor_split(math.ceil(len(images) / self.norm_images))
        features = [self.model(first)]
        with _running_statistics_kept(self.model):
            features += [self.model(part) for part in others]
        return torch.cat(features)

    def encode(self, images: Images) -> Tensor:
        """Features of uint8 images [N, H, W, 3] in eval mode, float32 [N, D]."""
        batches = encode(self.model, images, self.mean, self.std, self.device)
        return torch.from_numpy(np.concatenate(list(batches))).to(self.device)


@contextmanager
def _running_statistics_kept(model: nn.Module) -> Iterator[None]:
    """Within the block, batch norm in train mode leaves its running mean and variance as they are."""
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
    """A linear classifier for each number of classes, drawn from torch's global generator."""
    heads = nn.ModuleList(nn.Linear(backbone.model.num_features, count) for count in classes)
    for head in heads:
        nn.init.normal_(head.weight, std=HEAD_STD)
        nn.init.zeros_(head.bias)
    return heads.to(backbone.device)


class HeadTraining:
    """A `mast.training.Trainee`: a linear head for each column of the labels; cross-entropy, summed over the heads.

    An interrupted training goes on from its last checkpoint. On one CPU the weights are those of an undisturbed one,
    byte for byte.
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
        """Prepare to train in place.

        Args:
            protocol: name in the configuration, for messages.
            spec: settings.
            backbone: what lies below the heads.
            heads: a linear classifier for each column of the labels.
            images: what to train on.
            seed: of the order of the images and of the augmentations.
            lr_backbone: learning rate of the backbone at the start; None leaves it as it is.
            score: what is kept of each epoch in `history`: numbers, strings, lists and dictionaries.

        Raises:
            MastError: fewer images than one batch.
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
        self._features = torch.no_grad()(backbone.features) if frozen else backbone.features
        trained_on, on_gpu = (images.train_images, images.train_labels), self.device.type == "cuda"
        self._batches = TrainingBatches(*trained_on, spec.batch_size, seed, keep_last=True, pin_memory=on_gpu)
        policy = PolicySpec(augmentations=("crop", "flip"), crop=spec.crop, flip=spec.flip)
        policy = Policy(policy, images.train_images.shape[1])
        self._drawing = Drawing(policy, self._batches, seed, spec.crop.interpolation or HEADS)
        self._loss, self._note = torch.zeros(()), ""

    def run(self, checkpoints: Checkpoints) -> None:
        """Train to the end, from the newest of the checkpoints, of which the last holds the finished training.

        Raises:
            StoppedBySignalError: a signal to stop arrived (`mast.signals.CAUGHT`); a checkpoint was written first.
            MastError: the loss or a weight is not finite after an epoch.
        """
        steps = self.spec.epochs * self._batches.steps_per_epoch
        size = f"protocols.{self.protocol}.batch_size: {self.spec.batch_size} images in fp32"
        with memory_for(size):
            train(self, self.spec.kind, steps, self.spec.batch_size, checkpoints)

    def step(self, step: int) -> str:
        """One batch; at the end of an epoch, its score is added to the history."""
        epoch, within = divmod(step, self._batches.steps_per_epoch)
        for group, start in zip(self._optimizer.param_groups, self._starts, strict=True):
            group["lr"] = start * share(self.spec, epoch)
        uint8, labels = self._batches.batch(epoch, within, crops=self._drawing.crops)
        uint8, labels = (values.to(self.device, non_blocking=True) for values in (uint8, labels))
        view = self._drawing.view(step, uint8)
        self._loss = self._descend(view, labels)
        if within == self._batches.steps_per_epoch - 1:
            self.check(step + 1)
            self._note = f"loss {self._loss.item():.3f}"  # read at the end of an epoch: each read waits for a GPU
            self.history.append(self.score())
        return self._note

    def state(self) -> dict[str, Any]:
        """Weights, optimiser, generator of the augmentations, history."""
        weights, optimizer = self._modules.state_dict(), self._optimizer.state_dict()
        random = self._drawing.state()
        return {"modules": weights, "optimizer": optimizer, "generator": random, "history": self.history}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        self._modules.load_state_dict(state["modules"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._drawing.load(state["generator"].cpu())
        self.history = state["history"]

    def check(self, done: int) -> None:
        """Raise MastError unless the last loss and the trained weights are finite."""
        trained = [weights for group in self._optimizer.param_groups for weights in group["params"]]
        if not (torch.isfinite(self._loss) and all(torch.isfinite(weights).all() for weights in trained)):
            epoch = math.ceil(done / self._batches.steps_per_epoch)
            raise MastError(
                f"protocols.{self.protocol}.lr_head: training diverged in epoch {epoch}; "
                f"choose less than {self.spec.lr_head:g}"
            )

    def _descend(self, view: Tensor, labels: Tensor) -> Tensor:
        features = self._features(view)
        losses = [functional.cross_entropy(head(features), labels[:, t]) for t, head in enumerate(self.heads)]
        loss = torch.stack(losses).sum()
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return loss.detach()
