"""Training in float16 with a loss scale, on the CPU: overflows are skipped, and the scale survives a stop."""

import os
import signal
from pathlib import Path

import pytest
import torch

from mast.config.pretrain import PretrainSpec
from mast.data.prepared.store import open_prepared
from mast.learner import Learner
from mast.methods import Outcome
from mast.pretraining import trainee
from mast.pretraining.run import build_learner, pretrain
from mast.settings import parse
from mast.signals import StoppedBySignalError

FP16 = {
    "dataset": "shapes",
    "method": "mast",
    "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 6, 8, 10]},
    "projector": {"hidden": 12, "output": 8},
    "mast": {"uncertainty": {"kind": "isotropic"}},
    "optimizer": {"name": "adamw", "lr": 0.003, "warmup_epochs": 0.5},
    "epochs": 3,
    "batch_size": 16,
    "precision": "fp16",
}
FIRST_SCALE = 65536.0
"""First scale of torch.amp.GradScaler; halved by each overflow."""


def run(data: Path, output: Path, **settings: object) -> Path:
    pretrain(parse(PretrainSpec, FP16 | settings, "test"), "tiny", 0, data, output, "cpu", 1)
    return output


def stopped_after(steps: int, data: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """The checkpoint of a run that a signal stopped."""
    calls = []

    def set_and_stop(*arguments: object) -> None:
        calls.append(1)
        if len(calls) == steps:
            os.kill(os.getpid(), signal.SIGTERM)
        original(*arguments)

    original = trainee.set_learning_rate
    with monkeypatch.context() as patch, pytest.raises(StoppedBySignalError):
        patch.setattr(trainee, "set_learning_rate", set_and_stop)
        run(data, output)
    (checkpoint,) = (output / "checkpoints").iterdir()
    return torch.load(checkpoint, weights_only=True)


def test_the_scale_is_saved_and_the_run_goes_on_to_the_same_bytes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(data, tmp_path / "whole")
    state = stopped_after(5, data, tmp_path / "stopped", monkeypatch)
    assert state["scaler"]["scale"] < FIRST_SCALE  # a run that forgot it would skip other steps
    resumed = run(data, tmp_path / "stopped")
    for name in ("encoder.safetensors", "heads.safetensors"):
        assert (whole / name).read_bytes() == (resumed / name).read_bytes()


def test_a_step_that_overflows_is_skipped_and_is_no_divergence(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = stopped_after(1, data, tmp_path, monkeypatch)
    assert state["scaler"]["scale"] == FIRST_SCALE / 2
    torch.manual_seed(0)
    fresh = build_learner(parse(PretrainSpec, FP16, "test").resolved(), open_prepared(data))
    for name, parameter in fresh.named_parameters():
        assert torch.equal(state["learner"][name], parameter), name


def test_the_network_computes_in_float16_and_the_loss_in_float32(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: list[Outcome] = []
    forward = Learner.__call__

    def watched(self: Learner, *arguments: object) -> Outcome:
        outcomes.append(forward(self, *arguments))
        return outcomes[-1]

    monkeypatch.setattr(Learner, "__call__", watched)
    run(data, tmp_path, epochs=1)
    assert {outcome.embedding.dtype for outcome in outcomes} == {torch.float16}
    assert {term.dtype for outcome in outcomes for term in (outcome.loss, *outcome.terms.values())} == {torch.float32}
