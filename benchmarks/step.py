"""Whole pretraining steps: ours, a plain lightly + DataLoader loop, and forward and backward of the same network alone.

One measurement is an epoch of some steps through `mast.training.train`, with everything included. There are enough
steps that work done once a run, or once in ten steps, has its usual share.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from lightly.loss import VICRegLoss
from lightly.transforms.vicreg_transform import VICRegTransform
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from benchmarks.result import Section, Target
from benchmarks.timing import DEVICE, alternate
from mast.augment.settings import PolicySpec
from mast.checkpoint import Checkpoints
from mast.config.load import load_experiment
from mast.config.pretrain import PretrainSpec
from mast.data.prepared.batches import TrainingBatches
from mast.distributed import ALONE
from mast.learner import Learner
from mast.methods import METHODS
from mast.models.encoder import build_encoder
from mast.models.projector import build_projector
from mast.pretraining.metrics_log import MetricsLog
from mast.pretraining.trainee import Pretraining
from mast.training import train

STEPS = 20
SIZE = 32
GREY = ([0.5] * 3, [0.25] * 3)
"""Mean and standard deviation with which views are normalised."""


def measure(quick: bool) -> Section:
    section = Section(
        "step", "Images per second of whole pretraining steps, default encoder, projector and batch, 32 px, one thread."
    )
    for precision in ("fp32",) if quick else ("fp32", "bf16"):
        specs = {
            "VICReg": default_spec("vicreg", "mast5", precision),
            "MAST5": default_spec("mast", "mast5", precision),
            "MAST15": default_spec("mast", "mast15", precision),
        }
        tasks = {name: ours(spec) for name, spec in specs.items()}
        tasks |= {"forward + backward": network_alone(specs["VICReg"]), "lightly": lightly_loop(specs["VICReg"])}
        times = alternate(tasks, 9, 30 if quick else 80)
        for name, seconds in times.items():
            section.add(precision, name, STEPS * specs["VICReg"].batch_size / seconds, "images/s")
        section.targets += [
            Target(f"step {precision}, against lightly", times["lightly"] / times["VICReg"], 3),
            Target(f"step {precision}, MAST5 / VICReg", times["MAST5"] / times["VICReg"], 1.05, False),
            Target(f"step {precision}, share of the limit", times["forward + backward"] / times["VICReg"], 0.85),
        ]
    return section


def default_spec(method: str, augmentations: str | tuple[str, ...], precision: str, **changes: object) -> PretrainSpec:
    """Return the embedded experiment's run, with one epoch and these changes."""
    spec = load_experiment(Path("config/config.yaml")).pretrain_spec(method)
    policy = PolicySpec(augmentations=augmentations)
    return spec.model_copy(update={"policy": policy, "precision": precision, "epochs": 1, **changes})


def ours(spec: PretrainSpec, size: int = SIZE, steps: int = STEPS) -> Callable[[], None]:
    """Run one epoch of `steps` steps of the program's own loop."""
    torch.manual_seed(0)
    learner = _learner(spec, size)
    batches = TrainingBatches(_pixels(steps * spec.batch_size, size), None, spec.batch_size, 0)

    def epoch() -> None:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
            checkpoints = Checkpoints(Path(folder, "checkpoints"), {})
            training = Pretraining(learner, batches, 0, checkpoints, MetricsLog(Path(folder, "metrics.jsonl")))
            train(training, "benchmark", steps, spec.batch_size, checkpoints)

    return epoch


def _learner(spec: PretrainSpec, size: int) -> Learner:
    learner = Learner(METHODS[spec.method](spec), size, *GREY, [], ALONE)
    return learner.to(DEVICE, memory_format=torch.channels_last)


def network_alone(spec: PretrainSpec, steps: int = STEPS) -> Callable[[], None]:
    """Run forward and backward of encoder and projector on two ready views, the lower limit of a step."""
    learner = _learner(spec, SIZE).train()
    views = [
        torch.randn(spec.batch_size, 3, SIZE, SIZE, device=DEVICE).contiguous(memory_format=torch.channels_last)
        for _ in range(2)
    ]
    gradient = torch.randn(spec.batch_size, spec.projector.output, device=DEVICE)
    reduced = {"bf16": torch.bfloat16}.get(spec.precision)

    def repeat() -> None:
        for _ in range(steps):
            learner.zero_grad(set_to_none=True)
            with torch.autocast(DEVICE.type, dtype=reduced, enabled=reduced is not None):
                embeddings = [learner.projector(learner.encoder(view)) for view in views]
            torch.autograd.backward([z.float() for z in embeddings], [gradient, gradient])

    return repeat


class _Images(Dataset):
    """Images with lightly's transform, as in its examples."""

    def __init__(self, pixels: np.ndarray, transform: VICRegTransform) -> None:
        self.pixels, self.transform = pixels, transform

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> list[torch.Tensor]:
        return self.transform(Image.fromarray(self.pixels[index]))


def lightly_loop(spec: PretrainSpec, steps: int = STEPS) -> Callable[[], None]:
    """Run the loop of lightly's VICReg example, with our encoder, projector, batch and optimiser.

    It has no worker processes, which would move the transforms to other cores but not make them cheaper.
    """
    encoder = build_encoder(spec.encoder)
    model = torch.nn.Sequential(encoder, build_projector(encoder.num_features, spec.projector)).to(DEVICE).train()
    images = _Images(_pixels(steps * spec.batch_size, SIZE), VICRegTransform(input_size=SIZE))
    loader = DataLoader(images, spec.batch_size, shuffle=True, drop_last=True)
    criterion = VICRegLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=spec.optimizer.lr)
    reduced = {"bf16": torch.bfloat16}.get(spec.precision)

    def epoch() -> None:
        for x0, x1 in loader:
            with torch.autocast(DEVICE.type, dtype=reduced, enabled=reduced is not None):
                z0, z1 = model(x0.to(DEVICE)), model(x1.to(DEVICE))
            loss = criterion(z0.float(), z1.float())
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return epoch


def _pixels(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
