"""Linear heads, fine-tuning, detection and features in two processes equal those of one, also after a stop."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from support import ROOT
from support.shared_worker import CASES, STOP_AT, STOPPED, make_data, train

from mast.evaluation.features import extract_features

pytestmark = pytest.mark.slow

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data")
    make_data(path)
    return path


@pytest.fixture(scope="module")
def shared(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two processes."""
    output = tmp_path_factory.mktemp("two")
    worker = ROOT / "tests/support/shared_worker.py"
    python = os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": python}
    subprocess.run([*TORCHRUN, worker, data, output], env=environment, check=True, timeout=400)
    return output


@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_what_one_does(case: str, data: Path, shared: Path, tmp_path: Path) -> None:
    train(case, data, tmp_path)
    one, two = last_state(tmp_path), last_state(shared / case)
    assert one.keys() == two.keys()
    assert len(one) > 10 or case == "linear head"
    for name, expected in one.items():
        if "num_batches_tracked" in name:  # torch counts what it does not use
            continue
        torch.testing.assert_close(two[name], expected, rtol=1e-5, atol=1e-5, msg=lambda text, name=name: name + text)
    alone, together = (json.loads((path / "measured.json").read_text()) for path in (tmp_path, shared / case))
    assert together["metrics"].keys() == alone["metrics"].keys()
    assert together["counts"] == alone["counts"]
    for target, values in alone["metrics"].items():
        assert together["metrics"][target] == pytest.approx(values, abs=1e-3), target
    if alone["predictions"] is not None:
        assert len(alone["predictions"]) > 5
        for ours, expected in zip(together["predictions"], alone["predictions"], strict=True):
            assert (ours["image_id"], ours["category_id"]) == (expected["image_id"], expected["category_id"])
            assert ours["bbox"] == pytest.approx(expected["bbox"], abs=0.01)
            assert ours["score"] == pytest.approx(expected["score"], abs=1e-4)


@pytest.mark.parametrize("case", STOPPED)
def test_stopped_by_a_signal_to_one_process_all_go_on_to_the_same_bytes(case: str, shared: Path) -> None:
    stopped = shared / "stopped" / case
    assert torch.load(stopped / "stopped.pt", weights_only=True)["step"] == STOP_AT
    undisturbed, resumed = last_state(shared / case), last_state(stopped)
    assert undisturbed.keys() == resumed.keys()
    assert all(torch.equal(values, resumed[name]) for name, values in undisturbed.items())
    assert (stopped / "measured.json").read_bytes() == (shared / case / "measured.json").read_bytes()


def test_features_of_two_processes_are_the_same_file(data: Path, shared: Path, tmp_path: Path) -> None:
    extract_features(data / "encoder.safetensors", data / "toy", tmp_path / "features.npz", batch_size=5)
    assert (shared / "features.npz").read_bytes() == (tmp_path / "features.npz").read_bytes()


def last_state(output: Path) -> dict[str, torch.Tensor]:
    """Every tensor and number in the last checkpoint, by its place."""
    last = max((output / "kept").rglob("step*.pt"), key=lambda path: path.stem)
    return dict(tensors(torch.load(last, weights_only=True)))


def tensors(value: Any, place: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield place, value
    elif isinstance(value, bool | int | float) and math.isfinite(value):
        yield place, torch.tensor(value, dtype=torch.float64)
    elif isinstance(value, dict | list | tuple):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from tensors(part, f"{place}/{key}")
