"""Choose settings that fit images and machine, and estimate how long a training run takes."""

import time
from dataclasses import dataclass
from typing import Any

import torch

from mast.config.pretrain import PretrainSpec
from mast.distributed import ALONE
from mast.learner import Learner
from mast.methods import METHODS
from mast.settings import parse
from mast.starter.look import Findings

SIZES = (32, 64, 96, 128, 160, 224)
"""Image sides that are suggested, pixels."""

LARGEST_ON_CPU = 64
MOST_EPOCHS, FEWEST_EPOCHS = 400, 20
STEPS_TIMED = 3


@dataclass(frozen=True)
class Choice:
    """Suggested settings."""

    size: int
    pretrain: dict[str, Any]
    """The section `pretrain` of a configuration, without the dataset."""
    gpu: str | None
    """Name of the GPU; None on a CPU."""
    images_per_second: float
    """Images per second, measured here."""
    minutes: float
    """Minutes of one training run."""


def choose(found: Findings, minutes: float) -> Choice:
    """Choose size, encoder, batch, precision and epochs for the machine at hand.

    On a CPU the encoder is small and images have at most 64 pixels. A few steps are timed. The number of epochs is then
    as large as fits the minutes, between 20 and 400.

    Args:
        found: the images.
        minutes: time that one training run may take.
    """
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    largest = SIZES[-1] if gpu else LARGEST_ON_CPU
    size = max([side for side in SIZES if side <= min(found.short_side, largest)], default=SIZES[0])
    batch = max(2, min(256 if gpu else 128, found.train // 2))
    pretrain = {
        "encoder": _encoder(size, found.train, gpu is not None),
        "policy": {"augmentations": "mast5", "crop": {"scale": [0.2, 1.0]}},
        "projector": {"hidden": 2048, "output": 1024} if gpu else {"hidden": 512, "output": 256},
        "optimizer": {"name": "adamw", "lr": 1e-3 if gpu else 5e-3, "weight_decay": 1e-4},
        "batch_size": batch,
        "precision": "bf16" if gpu else "fp32",
    }
    speed = _images_per_second(pretrain, size, batch)
    affordable = int(minutes * 60 * speed / max(1, found.train))
    epochs = max(FEWEST_EPOCHS, min(MOST_EPOCHS, affordable))
    pretrain["optimizer"]["warmup_epochs"] = max(1, round(epochs / 20))
    pretrain["epochs"] = epochs
    return Choice(size, pretrain, gpu, speed, epochs * found.train / speed / 60)


def _encoder(size: int, images: int, gpu: bool) -> dict[str, Any]:
    stem = "small" if size <= LARGEST_ON_CPU else "imagenet"
    if not gpu:
        return {"name": "resnet-narrow", "stem": "small", "widths": [16, 32, 64, 128]}
    return {"name": "resnet50" if size > 128 and images >= 50_000 else "resnet18", "stem": stem}


def _images_per_second(pretrain: dict[str, Any], size: int, batch: int) -> float:
    """Measure images per second of MAST, the slower of the two methods, with the threads of this process."""
    spec = parse(PretrainSpec, {"dataset": "own", "method": "mast", "epochs": 1, **pretrain}, "mast init").resolved()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    learner = Learner(METHODS["mast"](spec), size, [0.5] * 3, [0.25] * 3, [], ALONE).train()
    learner.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(learner.parameters(), lr=1e-3)
    images = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8, device=device)
    generator, started = torch.Generator().manual_seed(0), 0.0
    for step in range(1 + STEPS_TIMED):
        if step == 1:  # the first step is slower: memory is allocated, kernels are chosen
            _wait(device)
            started = time.perf_counter()
        learner(images, None, learner.draw(batch, generator)).loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    _wait(device)
    return STEPS_TIMED * batch / (time.perf_counter() - started)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
