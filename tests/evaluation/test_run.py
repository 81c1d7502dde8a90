"""The runner of protocols refuses wrong results, and writes the right ones."""

import json
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from support.origins import ORIGIN
from support.records import hashed, write_run_record

from mast.errors import MastError
from mast.evaluation.features_file import Features, write_features
from mast.evaluation.inputs import FeatureInputs, Measured
from mast.evaluation.run import evaluate_features
from mast.protocols import Protocol


class Fixed(Protocol):
    """A protocol that has measured already."""

    READS = "features"
    VERSION = 7
    MEASURED: ClassVar[Measured] = Measured({}, {})

    kind: Literal["fixed"] = "fixed"
    scale: float = 1.0

    def evaluate(self, inputs: FeatureInputs) -> Measured:
        return self.MEASURED


@pytest.fixture
def features(tmp_path: Path) -> Path:
    values, labels = np.eye(4, dtype=np.float32), np.arange(4)[:, None]
    write_features(
        tmp_path / "f.npz", Features(values, values, labels, labels, np.arange(1), {"t": list("abcd")}, ORIGIN)
    )
    return tmp_path / "f.npz"


def evaluate(features: Path, monkeypatch: pytest.MonkeyPatch, *measured: Any) -> dict[str, Any]:
    monkeypatch.setattr(Fixed, "MEASURED", Measured(*measured))
    evaluate_features("mine", Fixed(), features, features.with_name("m.json"))
    return json.loads(features.with_name("m.json").read_text())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 100.1])
def test_metrics_that_are_no_percentage_are_refused(
    features: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    with pytest.raises(MastError, match="box AP is"):
        evaluate(features, monkeypatch, {"box": {"AP50": 100.0, "AP": value}}, {})
    assert not features.with_name("m.json").exists()


def test_an_undefined_metric_is_null(features: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = evaluate(features, monkeypatch, {"box": {"AP": 0.0, "APl": None}}, {"train": 1, "test": 1})
    assert written["metrics"] == {"box": {"AP": 0.0, "APl": None}}


def test_chance_is_written_of_what_was_measured(features: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = {"t": {"top1": 25.0, "top5": 100.0}, "other": {"AP": 3.0}}
    written = evaluate(features, monkeypatch, {"t": {"top1": 50.0}}, {}, None, None, chance)
    assert written["chance"] == {"t": {"top1": 25.0}}
    assert "chance" not in evaluate(features, monkeypatch, {"t": {"top1": 50.0}}, {})


def test_the_file_says_what_was_measured_how_and_on_what(features: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = evaluate(features, monkeypatch, {"t": {"top1": 25.0}}, {"train": 4, "test": 4}, {"shots": 3})
    assert (written["protocol"], written["kind"], written["version"]) == ("mine", "fixed", 7)
    assert (written["settings"], written["counts"]) == ({"scale": 1.0}, {"train": 4, "test": 4})
    assert written["details"] == {"shots": 3}
    for key in ("run", "dataset", "seed", "task", "spec_sha256", "data_sha256", "task_sha256", "encoder_sha256"):
        assert written[key] == getattr(ORIGIN, key)
    assert set(written["commits"]) > set(ORIGIN.commits)
    assert written["seconds"] >= 0
    assert list(written)[-1] == "content_sha256"


def test_features_of_an_earlier_encoder_are_refused(
    features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fixed, "MEASURED", Measured({"t": {"top1": 50.0}}, {}))
    for sha256, current in ((ORIGIN.encoder_sha256, True), (hashed("trained again"), False)):
        record = write_run_record(tmp_path / "run.json", files={"encoder.safetensors": sha256})
        arguments = ("mine", Fixed(), features, tmp_path / f"{current}.json", record)
        if current:
            evaluate_features(*arguments)
        else:
            with pytest.raises(MastError, match=r"another encoder than the one in .*run\.json.*mast features"):
                evaluate_features(*arguments)
    evaluate_features("mine", Fixed(), features, tmp_path / "alone.json", tmp_path / "no run.json")
    assert not (tmp_path / "False.json").exists()
