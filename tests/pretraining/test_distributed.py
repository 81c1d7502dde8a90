"""Training in two processes gives the loss, gradients and weights of one, also with signals, resuming, accumulation."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from support import ROOT
from support.distributed_worker import BATCH, CASES, TINY, float64, make_data, step

from mast.config.pretrain import PretrainSpec
from mast.distributed import World
from mast.errors import MastError
from mast.learner import Learner
from mast.pretraining.run import pretrain
from mast.pretraining.trainee import shares
from mast.settings import parse

pytestmark = pytest.mark.slow

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
RUN = TINY | {
    "method": "mast",
    "epochs": 10,
    "log_every": 1,
    "optimizer": {"name": "sgd", "lr": 0.02, "warmup_epochs": 0},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data") / "shapes")


@pytest.fixture(scope="module")
def two_processes(data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, torch.Tensor]]]:
    output = tmp_path_factory.mktemp("ranks")
    worker = ROOT / "tests/support/distributed_worker.py"
    subprocess.run([*TORCHRUN, worker, data, output], env=_one_thread(), check=True, timeout=600)
    return [torch.load(output / f"rank{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("case", CASES)
def test_two_halves_of_a_batch_give_its_loss_and_gradients(data: Path, two_processes: list, case: str) -> None:
    whole = step(CASES[case], data)
    for half in two_processes:
        assert half[case].keys() == whole.keys()
        errors = {name: _norm(half[case][name] - expected) for name, expected in whole.items()}
        assert errors["loss"] < 1e-5 * float(whole["loss"])
        assert math.hypot(*errors.values()) < 1e-5 * math.hypot(*map(_norm, whole.values()))
        for name, expected in whole.items():  # single sums that nearly cancel are rounded more: see float64 below
            assert errors[name] < 1e-4 * _norm(expected) + 1e-5, name


@pytest.mark.parametrize("case", CASES)
def test_in_double_precision_each_gradient_is_that_of_the_whole_batch(
    data: Path, two_processes: list, case: str
) -> None:
    with float64():
        whole = step(CASES[case], data)
    for half in (process[f"{case}, float64"] for process in two_processes):
        assert half.keys() == whole.keys()
        for name, expected in whole.items():
            assert expected.dtype == torch.float64, name
            assert _norm(half[name] - expected) < 1e-6 * _norm(expected) + 1e-12, name


@pytest.fixture(scope="module")
def trained_by_two(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("two")
    assert _torchrun(data, output).wait(600) == 0
    return output


def test_torchrun_trains_like_one_process(data: Path, trained_by_two: Path, tmp_path: Path) -> None:
    _train(data, tmp_path)
    assert {path.name for path in trained_by_two.iterdir()} == {path.name for path in tmp_path.iterdir()}
    assert json.loads((trained_by_two / "run.json").read_text())["processes"] == 2
    one, two = _losses(tmp_path), _losses(trained_by_two)
    assert len(two) == len(one) == 30
    assert two[:5] == pytest.approx(one[:5], rel=1e-4)  # rounding grows with the steps


def test_a_signal_to_one_process_stops_all_and_the_run_goes_on_to_the_same_bytes(
    data: Path, trained_by_two: Path, tmp_path: Path
) -> None:
    stopped = _torchrun(data, tmp_path)
    deadline = time.monotonic() + 300
    while len(_losses(tmp_path)) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(_last_child(stopped), signal.SIGUSR2)
    assert stopped.wait(300) != 0
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1
    assert _torchrun(data, tmp_path).wait(600) == 0
    for name in ("encoder.safetensors", "heads.safetensors"):
        assert (tmp_path / name).read_bytes() == (trained_by_two / name).read_bytes()
    assert _losses(tmp_path) == _losses(trained_by_two)


def test_a_process_that_dies_ends_the_run_in_seconds(data: Path, tmp_path: Path) -> None:
    run = _torchrun(data, tmp_path, epochs=100000)
    deadline = time.monotonic() + 300
    while not _losses(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(_last_child(run), signal.SIGKILL)
    assert run.wait(120) != 0  # gloo itself waits for half an hour
    assert not (tmp_path / "encoder.safetensors").exists()


def test_accumulation_averages_the_gradients_of_the_parts(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    forward = Learner.__call__
    monkeypatch.setattr(Learner, "__call__", lambda self, *given: seen.append(given[0]) or forward(self, *given))
    _train(data, tmp_path, accumulate=4, epochs=1, method="supervised")
    assert [len(images) for images in seen] == [BATCH // 4] * 12
    assert len(_losses(tmp_path)) == 3


@pytest.mark.parametrize(("size", "accumulate"), [(3, 1), (2, 3), (1, 16)])
def test_a_batch_that_cannot_be_shared_out_is_refused(size: int, accumulate: int) -> None:
    spec = parse(PretrainSpec, RUN | {"accumulate": accumulate}, "test")
    with pytest.raises(MastError, match=f"batch_size: 16 images cannot be shared out over {size} processes"):
        shares(spec, World(0, size))


@pytest.mark.parametrize("images", [16, 8])
@pytest.mark.parametrize(("size", "accumulate"), [(1, 1), (2, 1), (2, 4), (4, 2)])
def test_shares_cover_each_batch_once(size: int, accumulate: int, images: int) -> None:
    spec = parse(PretrainSpec, RUN | {"accumulate": accumulate}, "test")
    rows = torch.arange(images)
    taken = [rows[share] for rank in range(size) for share in shares(spec, World(rank, size), images)]
    assert {len(share) for share in taken} == {images // (size * accumulate)}
    assert torch.equal(torch.cat(taken).sort().values, rows)


def _train(data: Path, output: Path, **settings: object) -> None:
    pretrain(parse(PretrainSpec, RUN | settings, "test"), "tiny", 0, data, output, "cpu", 1)


def _torchrun(data: Path, output: Path, **settings: object) -> subprocess.Popen[bytes]:
    spec = parse(PretrainSpec, RUN | settings, "test").model_dump_json()
    mast = ["--module", "--", "mast.cli", "pretrain", "--spec", spec, "--run", "tiny", "--seed", "0"]
    return subprocess.Popen([*TORCHRUN, *mast, "--data", data, "--output", output, "--gpus", "0"], env=_one_thread())


def _norm(tensor: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor.detach()))


def _last_child(run: subprocess.Popen[bytes]) -> int:
    return max(process.pid for process in psutil.Process(run.pid).children())


def _losses(output: Path) -> list[float]:
    curves = output / "metrics.jsonl"
    return [json.loads(line)["loss"] for line in curves.read_text().splitlines()] if curves.exists() else []


def _one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}
