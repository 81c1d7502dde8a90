"""Running out of memory ends a command in one line that names what to make smaller; other errors are unchanged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mast.augment.policy import Policy
from mast.cli import main
from mast.config.pretrain import PretrainSpec
from mast.data.prepare import prepare
from mast.data.readers.shapes import ShapesData
from mast.errors import MastError
from mast.evaluation.features import encode
from mast.memory import memory_for, shortage
from mast.settings import parse

EXBIBYTE = 2**60


def ask_for_too_much(*_: Any) -> torch.Tensor:
    return torch.empty(EXBIBYTE, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB. GPU 0 has"), "CUDA out of memory"),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel"), "CUDA error: out of memory CUDA kernel"),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling"), "CUBLAS_STATUS_ALLOC_FAILED when calling"),
        (MemoryError("Unable to allocate 3 GiB"), "Unable to allocate 3 GiB"),
        (MemoryError(), "no memory left"),
        (RuntimeError("shapes cannot be multiplied"), None),
        (ValueError("out of range"), None),
    ],
)
def test_a_shortage_is_told_from_other_errors(error: Exception, reason: str | None) -> None:
    assert shortage(error) == reason


def test_what_does_not_fit_is_named_with_what_to_do() -> None:
    message = r"^batch_size: 8: does not fit into memory \(.*you tried to allocate.*\); choose fewer$"
    with pytest.raises(MastError, match=message), memory_for("batch_size: 8", "choose fewer"):
        ask_for_too_much()
    with pytest.raises(RuntimeError, match="something else"), memory_for("batch_size: 8", "choose fewer"):
        raise RuntimeError("something else")


def test_features_name_their_batch() -> None:
    images = np.zeros((3, 8, 8, 3), np.uint8)
    network = torch.nn.Identity()
    network.forward = ask_for_too_much
    with pytest.raises(MastError, match=r"^features: 2 images at a time in fp32: does not fit"):
        list(encode(network, images, torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1), batch_size=2))


def test_the_command_names_batch_size_and_precision(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    prepare("shapes", ShapesData(kind="shapes", train=16, test=4, size=16), tmp_path / "data")
    encoder = {"name": "resnet-narrow", "stem": "small", "widths": [8, 4, 4, 4]}
    values = {"dataset": "shapes", "encoder": encoder, "batch_size": 8, "accumulate": 2, "epochs": 1}
    spec = parse(PretrainSpec, values, "test").resolved().model_dump_json()
    monkeypatch.setattr(Policy, "apply", ask_for_too_much)
    paths = ["--data", str(tmp_path / "data"), "--output", str(tmp_path / "run")]
    assert main(["pretrain", "--spec", spec, "--run", "r", "--seed", "0", "--gpus", "0", *paths]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert line.startswith("mast: error: batch_size: 8 images in 2 part(s), precision fp32: does not fit into memory (")
    assert line.endswith("; choose fewer images, more parts (accumulate), or precision: bf16")
