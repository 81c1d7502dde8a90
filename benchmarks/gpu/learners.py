"""Learners and training runs as the package builds them, with random images."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.bench import Case
from mast.checkpoint import Checkpoints
from mast.config.pretrain import PretrainSpec
from mast.data.prepared.batches import TrainingBatches
from mast.distributed import ALONE
from mast.learner import Learner
from mast.methods import METHODS
from mast.pretraining.metrics_log import MetricsLog
from mast.pretraining.trainee import Pretraining
from mast.settings import parse

METHODS_AND_SETS = {
    "VICReg": ("vicreg", "mast5"),
    "MAST-5": ("mast", "mast5"),
    "MAST-15": ("mast", "mast15"),
    "supervised": ("supervised", "mast5"),
}
"""Name in tables → method and set of augmentations."""

MEAN, STD = [0.5] * 3, [0.25] * 3
CLASSES = [10, 3]


def settings(case: Case, name: str = "VICReg", precision: str = "fp32", **changes: Any) -> PretrainSpec:
    """Return a run of one epoch."""
    method, augmentations = METHODS_AND_SETS[name]
    values = {
        **{"dataset": "random", "method": method, "encoder": case.encoder, "policy": {"augmentations": augmentations}},
        "projector": {"hidden": case.projector, "output": case.projector},
        "optimizer": {"name": "lars", "lr": 0.2, "warmup_epochs": 0},
        **{"epochs": 1, "batch_size": case.batch, "precision": precision},
    }
    return parse(PretrainSpec, values | changes, "benchmark").resolved()


def build(spec: PretrainSpec, case: Case, device: torch.device) -> Learner:
    """Build a learner with the weights of seed 0."""
    torch.manual_seed(0)
    learner = Learner(METHODS[spec.method](spec), case.size, MEAN, STD, CLASSES, ALONE)
    return learner.to(device, memory_format=torch.channels_last)


@cache
def random_images(count: int, size: int) -> np.ndarray:
    """Return uint8 [count, size, size, 3], which several parts share: do not write to it."""
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@contextmanager
def training(spec: PretrainSpec, case: Case, device: torch.device, steps: int) -> Iterator[Pretraining]:
    """Return a training run of seed 0 with `steps` steps in an epoch, as `mast.pretraining.run` prepares it."""
    images = random_images(steps * case.batch, case.size)
    labels = np.stack([np.arange(len(images)) % classes for classes in CLASSES], axis=1)
    batches = TrainingBatches(
        images,
        labels if METHODS[spec.method].NEEDS_LABELS else None,
        *(case.batch, 0),
        parts=spec.accumulate,
        pin_memory=device.type == "cuda",
    )
    with tempfile.TemporaryDirectory() as folder:
        log, checkpoints = MetricsLog(Path(folder, "metrics.jsonl")), Checkpoints(Path(folder, "checkpoints"), {})
        yield Pretraining(build(spec, case, device), batches, 0, checkpoints, log)
