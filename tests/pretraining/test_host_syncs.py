"""A step does not make the host wait for the device: on a GPU each such read empties its queue of work."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import mast
from mast.augment.policy import Policy
from mast.augment.views import Drawn
from mast.checkpoint import Checkpoints
from mast.config.pretrain import PretrainSpec
from mast.data.prepared.batches import TrainingBatches
from mast.distributed import ALONE
from mast.learner import Learner
from mast.methods import METHODS, Method, Outcome
from mast.pretraining.metrics_log import MetricsLog
from mast.pretraining.trainee import Pretraining
from mast.settings import parse
from mast.training import train

READS = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default, torch.ops.aten.equal.default}
LISTS = {torch.tensor, torch.as_tensor, torch.Tensor.new_tensor}
COPIES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default}
SIZE, BATCH = 16, 8


def spec(method: str, **changes: object) -> PretrainSpec:
    values = {
        "dataset": "any",
        "method": method,
        "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 4, 4, 8]},
        "projector": {"hidden": 8, "output": 8},
        "policy": {"augmentations": "mast15"},
        "optimizer": {"name": "adamw", "lr": 0.01, "warmup_epochs": 0},
        "batch_size": BATCH,
        "epochs": 1,
    }
    return parse(PretrainSpec, values | changes, "test").resolved()


def build(method: str, **changes: object) -> Learner:
    return Learner(METHODS[method](spec(method, **changes)), SIZE, [0.5] * 3, [0.25] * 3, [3, 2], ALONE)


@pytest.fixture(autouse=True)
def no_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.autocast does not know the meta device."""
    monkeypatch.setattr(Learner, "autocast", lambda self: nullcontext())


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"untrained"}))
def test_a_step_reads_nothing_from_the_device(method: str) -> None:
    """A meta tensor has no values: whatever reads one, or decides by one, raises."""
    learner = build(method).to("meta").train()
    images = torch.empty(BATCH, 3, SIZE, SIZE, dtype=torch.uint8, device="meta")
    labels = torch.empty(BATCH, 2, dtype=torch.int64, device="meta")
    outcome = learner(images, labels, learner.draw(BATCH, torch.Generator().manual_seed(0)))
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
    learner(images, None, learner.draw(BATCH, torch.Generator().manual_seed(0))).loss.backward()
    assert learner.masks.logits.grad is not None


class Copies(TorchDispatchMode):
    """Counts copies from the CPU to another device, and those of them for which the host waits."""

    all, waits = 0, 0

    def __torch_dispatch__(
        self, operation: Callable[..., Any], types: Sequence[type], arguments: tuple = (), keywords: dict | None = None
    ) -> Any:
        result = operation(*arguments, **(keywords or {}))
        if operation in COPIES:
            source = arguments[operation is torch.ops.aten.copy_.default]
            leaves_the_cpu = source.device.type == "cpu" and result.device.type != "cpu"
            blocks = not ((keywords or {}).get("non_blocking") or (*arguments, False, False)[2])
            self.all += leaves_the_cpu
            self.waits += leaves_the_cpu and blocks
        return result


class Lists(TorchFunctionMode):
    """Counts lists of numbers that become tensors of another device than the CPU: for these the host waits too."""

    waits = 0

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], arguments: tuple = (), keywords: dict | None = None
    ) -> Any:
        result = function(*arguments, **(keywords or {}))
        self.waits += function in LISTS and result.device.type != "cpu"
        return result


def test_lists_that_would_be_waited_for_are_seen() -> None:
    with Lists() as counted:
        torch.empty(1, device="meta").new_tensor([1.0])
        torch.tensor([1.0], device="meta")
        torch.tensor([1.0])
    assert counted.waits == 2


@pytest.mark.parametrize(("method", "copies"), [("vicreg", 4), ("mast", 5), ("supervised", 2)])
def test_what_a_step_draws_is_copied_at_once_and_not_waited_for(method: str, copies: int) -> None:
    """Each view needs two copies, positions and values; MAST's pairs need one more."""
    learner = build(method).to("meta").train()
    images = torch.empty(BATCH, 3, SIZE, SIZE, dtype=torch.uint8, device="meta")
    labels = torch.empty(BATCH, 2, dtype=torch.int64, device="meta")
    with Copies() as counted, Lists() as lists:
        learner(images, labels, learner.draw(BATCH, torch.Generator().manual_seed(0))).loss.backward()
    assert (counted.all, counted.waits, lists.waits) == (copies, 0, 0)


def test_pairs_for_a_loop_of_ones_own_are_not_waited_for() -> None:
    """Two copies of each view, and two more: of the normalisation, and of what differs."""
    images = torch.empty(BATCH, 3, SIZE, SIZE, dtype=torch.uint8, device="meta")
    with Copies() as counted, Lists() as lists:
        mast.PairedAugmentation(SIZE, augmentations="mast15")(images)
    assert (counted.all, counted.waits, lists.waits) == (6, 0, 0)


class Counter(TorchDispatchMode):
    """Counts operations that hand a tensor's value to Python."""

    reads = 0

    def __torch_dispatch__(
        self, operation: Callable[..., Any], types: Sequence[type], arguments: tuple = (), keywords: dict | None = None
    ) -> Any:
        self.reads += operation in READS
        return operation(*arguments, **(keywords or {}))


class OneWeight(Learner):
    """The loop alone: a learner that itself reads nothing."""

    def __init__(self, settings: PretrainSpec) -> None:
        torch.nn.Module.__init__(self)
        self.method, self.spec, self.world, self.mean = Method(settings), settings, ALONE, torch.zeros(1)
        self.policy = Policy(settings.policy, SIZE)
        self.weight = torch.nn.Parameter(torch.ones(3, 4))

    def forward(self, images: torch.Tensor, labels: None, drawn: Drawn) -> Outcome:
        embedding = images.float().mean(dim=(2, 3)) @ self.weight
        loss = embedding.square().mean()
        return Outcome(loss, {"square": loss}, embedding.detach())


def reads_of_loop(steps: int, log_every: int, folder: Path, **changes: object) -> int:
    pixels = np.random.default_rng(0).integers(0, 256, (steps * BATCH, SIZE, SIZE, 3), dtype=np.uint8)
    settings = spec("vicreg", log_every=log_every, **changes)
    log, checkpoints = MetricsLog(folder / "metrics.jsonl"), Checkpoints(folder / "checkpoints", {})
    with Counter() as counter:
        batches = TrainingBatches(pixels, None, BATCH, 0)
        training = Pretraining(OneWeight(settings), batches, 0, checkpoints, log)
        train(training, "test", training.steps, BATCH, checkpoints)
    checkpoints.clear()
    return counter.reads


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lars"])
def test_the_loop_reads_only_when_it_logs(tmp_path: Path, optimizer: str) -> None:
    changes = {"optimizer": {"name": optimizer, "lr": 0.01, "warmup_epochs": 0}}
    few, many = (reads_of_loop(steps, 100, tmp_path, **changes) for steps in (3, 9))
    assert few == many
    assert reads_of_loop(9, 1, tmp_path, **changes) > many
