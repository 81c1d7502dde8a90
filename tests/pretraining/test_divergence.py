"""A run that diverges stops with the step, the term and the last good checkpoint; bad weights are never saved."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mast.config.pretrain import PretrainSpec
from mast.data.prepare import prepare
from mast.data.readers.shapes import ShapesData
from mast.errors import MastError
from mast.learner import Learner
from mast.methods import Outcome
from mast.pretraining.run import pretrain
from mast.settings import parse
from mast.signals import StoppedBySignalError

TINY = {
    "dataset": "shapes",
    "method": "vicreg",
    "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 12, 16, 20]},
    "projector": {"hidden": 12, "output": 8},
    "optimizer": {"name": "adamw", "lr": 0.003, "warmup_epochs": 0},
    "epochs": 4,
    "batch_size": 16,
    "log_every": 6,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "shapes"
    prepare("shapes", ShapesData(kind="shapes", train=48, test=10, size=16), path)
    return path


def run(data: Path, output: Path, **settings: object) -> dict:
    pretrain(parse(PretrainSpec, TINY | settings, "test"), "tiny", 0, data, output, "cpu", 1)
    return json.loads((output / "run.json").read_text())


@pytest.fixture
def in_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict], None]:
    """Calls a function with learner and outcome in the given steps (from 1)."""
    weigh, steps = Learner.__call__, []

    def arrange(actions: dict) -> None:
        def call(self: Learner, *arguments: object) -> Outcome:
            steps.append(1)
            outcome = weigh(self, *arguments)
            actions.get(len(steps), lambda learner, outcome: None)(self, outcome)
            return outcome

        monkeypatch.setattr(Learner, "__call__", call)

    return arrange


def spoil(learner: Learner, outcome: Outcome) -> None:
    outcome.terms["covariance"] = torch.tensor(float("nan"))


def stop(learner: Learner, outcome: Outcome) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def spoil_and_stop(learner: Learner, outcome: Outcome) -> None:
    spoil(learner, outcome)
    stop(learner, outcome)


def spoil_a_weight_and_stop(learner: Learner, outcome: Outcome) -> None:
    learner.projector[0].weight.register_hook(lambda gradient: gradient * float("inf"))
    stop(learner, outcome)


def test_the_last_good_checkpoint_is_named(data: Path, tmp_path: Path, in_step: Callable[[dict], None]) -> None:
    in_step({2: stop, 5: spoil})
    with pytest.raises(StoppedBySignalError):
        run(data, tmp_path)
    with pytest.raises(MastError) as error:
        run(data, tmp_path)
    message = str(error.value)
    assert message.startswith("training diverged: covariance is not finite at step 5; ")
    assert f"the last good checkpoint is {tmp_path / 'checkpoints/step000000002.pt'}" in message
    assert "\n" not in message
    assert not (tmp_path / "encoder.safetensors").exists()


def test_without_a_checkpoint_it_says_so(data: Path, tmp_path: Path, in_step: Callable[[dict], None]) -> None:
    in_step({5: spoil})
    with pytest.raises(MastError, match="at step 5; no checkpoint was saved before; lower"):
        run(data, tmp_path)


@pytest.mark.parametrize(
    ("spoils", "named"),
    [
        (spoil_and_stop, "covariance is not finite at step 4"),
        (spoil_a_weight_and_stop, "projector.0.weight is not finite after step 4"),
    ],
)
def test_a_checkpoint_between_the_bad_step_and_the_next_logged_one_is_not_saved(
    data: Path, tmp_path: Path, in_step: Callable[[dict], None], spoils: Callable[[Learner, Outcome], None], named: str
) -> None:
    in_step({2: stop, 4: spoils})
    with pytest.raises(StoppedBySignalError):
        run(data, tmp_path)
    with pytest.raises(MastError) as error:
        run(data, tmp_path)
    assert named in str(error.value)
    assert [file.name for file in (tmp_path / "checkpoints").iterdir()] == ["step000000002.pt"]


def test_weights_that_the_last_step_spoiled_do_not_become_an_encoder(
    data: Path, tmp_path: Path, in_step: Callable[[dict], None]
) -> None:
    def spoil_a_weight(learner: Learner, outcome: Outcome) -> None:
        learner.encoder.conv1.weight.register_hook(lambda gradient: gradient * float("nan"))

    in_step({12: spoil_a_weight})
    with pytest.raises(MastError, match=r"encoder\.conv1\.weight is not finite after step 12"):
        run(data, tmp_path)
    assert not (tmp_path / "encoder.safetensors").exists()
