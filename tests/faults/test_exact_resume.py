"""A training run that is killed or stopped at any step, and started again, ends with the same bytes."""

import json
import random
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import product
from pathlib import Path

import pytest
import torch
from support.victims import EXIT_STOPPED, KINDS, OTHER, SIGNALS, STEPS, prepare_all, train

pytestmark = pytest.mark.xdist_group("faults in trainings")

Fault = Callable[[str], AbstractContextManager[None]]
OF_THIS_RUN = ("seconds", "wall_seconds", "content_sha256", "images_per_second", "commit", "commits", "files")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inputs")
    prepare_all(path)
    return path


@pytest.fixture(scope="module")
def undisturbed(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict]:
    """Return the result of each kind of training without a stop."""
    known: dict[str, dict] = {}

    def of(kind: str) -> dict:
        if kind not in known:
            output = tmp_path_factory.mktemp("undisturbed")
            assert train(kind, inputs, output, minutes=1e9) == 0
            known[kind] = outcome(output)
        return known[kind]

    return of


def outcome(output: Path) -> dict[str, object]:
    """Every file: weights and predictions as bytes, records without what tells runs apart."""
    return {file.name: _content(file) for file in output.iterdir()}


def _content(file: Path) -> object:
    if file.suffix == ".jsonl":
        return [_of_all_runs(json.loads(line)) for line in file.read_text().splitlines()]
    if file.name in ("result.json", "run.json"):
        return _of_all_runs(json.loads(file.read_text()))
    return file.read_bytes()


def _of_all_runs(record: dict) -> dict:
    return {key: value for key, value in record.items() if key not in OF_THIS_RUN}


def last_step(kind: str) -> int:
    return (6 if kind == "semi" else 1) * STEPS[kind] - 1


@pytest.mark.parametrize("kind", KINDS)
def test_killed_twice_at_random_steps(
    kind: str, inputs: Path, undisturbed: Callable[[str], dict], tmp_path: Path, fault: Fault
) -> None:
    generator = random.Random(kind)
    for number in range(1 if kind == "detection in place" else 2):
        step = generator.randrange(1, last_step(kind) // 2)
        with fault(f"kill -9 of a training: {kind}"):
            assert train(kind, inputs, tmp_path, (signal.SIGKILL, step)) == -signal.SIGKILL, f"kill {number}"
            assert list(tmp_path.rglob("step*.pt"))
            assert not {"result.json", "run.json"} & {file.name for file in tmp_path.iterdir()}
    assert train(kind, inputs, tmp_path) == 0
    assert outcome(tmp_path) == undisturbed(kind)


@pytest.mark.parametrize(
    ("kind", "name"), [*product(KINDS[:-1], SIGNALS), (KINDS[-1], "SIGTERM")], ids=lambda value: value
)
def test_stopped_by_a_signal(
    kind: str, name: str, inputs: Path, undisturbed: Callable[[str], dict], tmp_path: Path, fault: Fault
) -> None:
    """Checkpoints are rare, so only the one saved by the signal exists."""
    step = random.Random(f"{kind} {name}").randrange(1, last_step(kind))
    with fault(f"{name} to a training: {kind}"):
        assert train(kind, inputs, tmp_path, (SIGNALS[name], step), minutes=1e9) == EXIT_STOPPED
        assert list(tmp_path.rglob("step*.pt"))
        assert train(kind, inputs, tmp_path) == 0
        assert outcome(tmp_path) == undisturbed(kind)


@pytest.mark.parametrize("kind", OTHER)
def test_a_stopped_training_of_other_settings_takes_no_place(
    kind: str, inputs: Path, tmp_path: Path, fault: Fault
) -> None:
    """It was stopped later; the new one is stopped early, and then again at once: so it has gone on from there."""
    late, minutes = min(STEPS[kind] - 1, 6), 1e9
    own = {"checkpoint_minutes": minutes} if kind == "pretrain" else {}
    with fault(f"stopped at an earlier step than before its settings changed: {kind}"):
        assert train(kind, inputs, tmp_path, (signal.SIGTERM, late), minutes, own | OTHER[kind]) == EXIT_STOPPED
        for again in (1, 0):
            assert train(kind, inputs, tmp_path, (signal.SIGTERM, again), minutes, own) == EXIT_STOPPED
        steps = [torch.load(file, weights_only=True)["step"] for file in tmp_path.rglob("step*.pt")]
        assert sorted(steps) == [1, late]
