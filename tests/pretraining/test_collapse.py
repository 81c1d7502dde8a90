"""A run that collapses gives one warning and is recorded and flagged; a run that learns is not."""

import json
import logging
from pathlib import Path

import pytest

from mast.config.pretrain import PretrainSpec
from mast.data.prepare import prepare
from mast.data.readers.shapes import ShapesData
from mast.pretraining.run import pretrain
from mast.settings import parse

pytestmark = pytest.mark.slow

TINY = {
    "dataset": "shapes",
    "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 12, 16, 20]},
    "projector": {"hidden": 12, "output": 8},
    "optimizer": {"name": "sgd", "lr": 0.5, "warmup_epochs": 0},
    "epochs": 10,
    "batch_size": 16,
    "log_every": 3,
}
ONLY_INVARIANCE = {"method": "vicreg", "objective": {"variance": 0, "covariance": 0}}
CLOSING_MASKS = {  # soft enough to close: at the default temperature many free masks start saturated, without gradient
    "method": "mast",
    "optimizer": {"name": "adamw", "lr": 0.003, "warmup_epochs": 0},
    "mast": {"masks": {"kind": "sigmoid", "temperature": 1.0, "sparsity": 1000.0, "lr_factor": 1000.0}},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "shapes"
    prepare("shapes", ShapesData(kind="shapes", train=48, test=10, size=16), path)
    return path


def run(data: Path, output: Path, **settings: object) -> tuple[dict, list[dict]]:
    """Return the run's health from run.json, and the logged lines."""
    pretrain(parse(PretrainSpec, TINY | settings, "test"), "tiny", 0, data, output, "cpu", 1)
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return json.loads((output / "run.json").read_text())["health"], lines


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_invariance_alone_maps_every_image_to_one_point(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    health, lines = run(data, tmp_path, epochs=20, **ONLY_INVARIANCE)
    assert health["embedding_std"] < 0.01
    assert health["effective_rank"] < 1.5
    flagged = [line["step"] for line in lines if "embedding_std" in line.get("collapsed", [])]
    assert len(flagged) > 1
    assert health["collapsed"]["embedding_std"] == flagged[0]
    assert health["collapsed"].keys() == {"embedding_std", "effective_rank"}
    [standard_deviation, rank] = sorted(warnings(caplog), key=lambda message: "rank" in message)
    assert standard_deviation.startswith(f"collapse at step {flagged[0]}: embedding_std is 0.00")
    assert "effective_rank is 1" in rank


def test_a_mask_that_closes_is_flagged(data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    health, lines = run(data, tmp_path, **CLOSING_MASKS)
    assert health["lowest_mask_mean"] == min(lines[-1]["mask_mean"]) < 0.01
    assert health["collapsed"].keys() == {"mask_mean"}
    [message] = warnings(caplog)
    assert "mask_mean is " in message and "mast.masks.sparsity" in message


@pytest.mark.parametrize("method", ["supervised", "vicreg", "mast"])
def test_a_run_that_learns_is_not_flagged(
    data: Path, tmp_path: Path, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    health, lines = run(data, tmp_path, method=method, optimizer={"name": "adamw", "lr": 0.003, "warmup_epochs": 0})
    assert health["collapsed"] == {}
    assert health["embedding_std"] == lines[-1]["embedding_std"] > 0.1
    assert not any("collapsed" in line for line in lines)
    assert warnings(caplog) == []


def test_two_images_have_one_direction_and_are_no_collapse(data: Path, tmp_path: Path) -> None:
    health, _ = run(data, tmp_path, method="vicreg", batch_size=2, epochs=1, optimizer={"name": "adamw", "lr": 1e-4})
    assert health["effective_rank"] == pytest.approx(1)
    assert health["collapsed"] == {}


def test_an_untrained_run_has_no_health(data: Path, tmp_path: Path) -> None:
    assert run(data, tmp_path, method="untrained") == (None, [])
