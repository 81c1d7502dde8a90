"""The examples run unchanged."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support import ROOT

EXAMPLES = ROOT / "examples"


def run(example: str, *arguments: object, cwd: Path) -> str:
    command = [sys.executable, EXAMPLES / example, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_plain_pytorch_trains_on_a_folder_of_images(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(8):
        folder = tmp_path / "images" / f"class{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (40, 36, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    small = ["--epochs", 2, "--batch-size", 4, "--size", 32, "--workers", 0, "--output", "encoder.pt"]
    printed = run("plain_pytorch.py", tmp_path / "images", *small, cwd=tmp_path)
    assert "epoch 2: loss" in printed
    assert "jitter 0.80" in printed  # the masks keep their budget
    assert torch.load(tmp_path / "encoder.pt", weights_only=True)["layer4.1.conv2.weight"].isfinite().all()


@pytest.mark.slow
def test_lightning_module_trains(tmp_path: Path) -> None:
    printed = run("lightning_module.py", "--epochs", 1, "--images", 32, "--size", 32, cwd=tmp_path)
    for term in ("invariance", "uncertainty", "variance", "covariance"):
        assert f"'{term}'" in printed


@pytest.mark.slow  # the finished results are trained
def test_results_are_read_with_pandas(finished_results: Path, tmp_path: Path) -> None:
    printed = run("explore.py", finished_results, cwd=tmp_path)
    assert "mean over seeds" in printed
    assert (tmp_path / "losses.png").stat().st_size > 10_000


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLES / "explore.py", tmp_path]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (
        1,
        f"{tmp_path}: no metrics in it; give the folder of an experiment's results",
    )
