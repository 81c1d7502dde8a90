"""A step must not make the host wait for the device: on a GPU each such read empties its queue of work."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mast.checkpoint import Checkpoints
from mast.config import PretrainSpec
from mast.data.prepared.batches import TrainingBatches
from mast.pretraining.learners import Learner, Mast, Outcome, Supervised, Vicreg
from mast.pretraining.loop import train
from mast.pretraining.metrics_log import Curves
from mast.settings import parse

READS = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default, torch.ops.aten.equal.default}
SIZE, BATCH = 16, 8


def spec(method: str, **changes: object) -> PretrainSpec:
    values = {
        "dataset": "any",
        "method": method,
        "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 4, 4, 4]},
        "projector": {"hidden": 8, "output": 8},
        "policy": {"augmentations": "mast15"},
        "optimizer": {"name": "adamw", "lr": 0.01, "warmup_epochs": 0},
        "batch_size": BATCH,
        "epochs": 1,
    }
    return parse(PretrainSpec, values | changes, "test").resolved()


def build(method: str, **changes: object) -> Learner:
    kind = {"vicreg": Vicreg, "mast": Mast, "supervised": Supervised}[method]
    arguments = (spec(method, **changes), SIZE, [0.5] * 3, [0.25] * 3)
    return kind(*arguments, [3, 2]) if kind is Supervised else kind(*arguments)


@pytest.fixture(autouse=True)
def no_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.autocast does not know the meta device."""
    monkeypatch.setattr(Learner, "_autocast", lambda self, device: nullcontext())


@pytest.mark.parametrize("method", ["vicreg", "mast", "supervised"])
def test_a_step_reads_nothing_from_the_device(method: str) -> None:
    """A meta tensor has no values: whatever reads one, or decides by one, raises."""
    learner = build(method).to("meta").train()
    images = torch.empty(BATCH, 3, SIZE, SIZE, dtype=torch.uint8, device="meta")
    labels = torch.empty(BATCH, 2, dtype=torch.int64, device="meta")
    outcome = learner(images, labels, torch.Generator().manual_seed(0))
    outcome.loss.backward()
    assert outcome.loss.device.type == "meta"
    assert all(p.grad is not None for p in learner.encoder.parameters())


@pytest.mark.parametrize("kind", ["isotropic", "diagonal"])
@pytest.mark.parametrize("form", ["relative", "likelihood"])
@pytest.mark.parametrize("where", ["full", "masked"])
def test_no_form_of_masks_and_uncertainty_reads_from_the_device(kind: str, form: str, where: str) -> None:
    masks = {"covariance": where, "variance": where}
    learner = build("mast", mast={"uncertainty": {"kind": kind, "form": form}, "masks": masks}).to("meta")
    images = torch.empty(BATCH, 3, SIZE, SIZE, dtype=torch.uint8, device="meta")
    learner(images, None, torch.Generator().manual_seed(0)).loss.backward()
    assert learner.masks.logits.grad is not None


class Counter(TorchDispatchMode):
    """Counts operations that hand a tensor's value to Python."""

    reads = 0

    def __torch_dispatch__(self, operation, types, arguments=(), keywords=None):
        self.reads += operation in READS
        return operation(*arguments, **(keywords or {}))


class OneWeight(Learner):
    """The loop alone: a learner that itself reads nothing."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.weight = torch.nn.Parameter(torch.ones(3, 4))

    def forward(self, images: torch.Tensor, labels: None, generator: torch.Generator) -> Outcome:
        embedding = images.float().mean(dim=(2, 3)) @ self.weight
        loss = embedding.square().mean()
        return Outcome(loss, {"square": loss}, embedding.detach())


def reads_of_loop(steps: int, log_every: int, folder: Path, **changes: object) -> int:
    pixels = np.random.default_rng(0).integers(0, 256, (steps * BATCH, SIZE, SIZE, 3), dtype=np.uint8)
    settings = spec("vicreg", log_every=log_every, **changes)
    curves, checkpoints = Curves(folder / "metrics.jsonl"), Checkpoints(folder / "checkpoints", {})
    with Counter() as counter:
        batches = TrainingBatches(pixels, None, BATCH, 0)
        train(OneWeight(), batches, settings, 0, torch.device("cpu"), checkpoints, curves)
    return counter.reads


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lars"])
def test_the_loop_reads_only_when_it_logs(tmp_path: Path, optimizer: str) -> None:
    changes = {"optimizer": {"name": optimizer, "lr": 0.01, "warmup_epochs": 0}}
    few, many = (reads_of_loop(steps, 100, tmp_path, **changes) for steps in (3, 9))
    assert few == many
    assert reads_of_loop(9, 1, tmp_path, **changes) > many
