"""`mast evaluate` checks its arguments before anything is computed."""

from pathlib import Path

import numpy as np
import pytest
from support import ROOT
from support.origins import ORIGIN
from support.records import hashed, write_run_record

from mast.cli import main
from mast.evaluation.features_file import Features, write_features
from mast.results import Results

SMOKE = str(ROOT / "config/smoke.yaml")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--config", SMOKE, "--protocol", "semi"], ["--protocol: 'semi'", "'semi-1"]),
        (["--protocol", "s", "--spec", '{"kind": "semi"}'], ["--spec: ", "'semi'", "'semi-1', 'semi-10'"]),
        (["--protocol", "s", "--spec", '{"kind": "semi-1", "fractoin": 1}'], ["--spec", "'fractoin'"]),
        (["--protocol", "s", "--spec", '{"kind": "semi-1", "fraction": 2}'], ["--spec: fraction", "got 2"]),
        (["--protocol", "f", "--spec", '{"kind": "few-shot", "ways": 1}'], ["--spec: ways", "got 1"]),
        (["--protocol", "s", "--spec", '{"kind": "semi-1"}'], ["--encoder", "required without --config"]),
        (["--protocol", "d", "--spec", '{"kind": "detection"}'], ["--encoder", "required without --config"]),
        (
            ["--protocol", "s", "--spec", '{"kind": "semi-1"}', "--features", "f.npz"],
            ["--features: 'semi-1' reads images; give --encoder and --data"],
        ),
        (
            ["--protocol", "k", "--spec", '{"kind": "knn"}', "--data", "shapes"],
            ["--data: 'knn' reads features; give --features"],
        ),
        (
            ["--config", SMOKE, "--protocol", "linear-sgd", "--run", "mast", "--task", "digits"],
            ["--seed", "required"],
        ),
    ],
)
def test_mistake_is_one_line(arguments: list[str], named: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", *arguments]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("mast: error: ")
    assert printed.count("\n") == 1
    for word in named:
        assert word in printed


def test_features_of_an_encoder_that_was_trained_again_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    results, values, labels = Results("results/smoke"), np.eye(4, dtype=np.float32), np.arange(4)[:, None]
    features = results.features("shapes", "mast", 0, "digits")
    write_features(features, Features(values, values, labels, labels, np.arange(1), {"t": list("abcd")}, ORIGIN))
    write_run_record(results.run("shapes", "mast", 0).record, files={"encoder.safetensors": hashed("trained again")})
    names = ["--protocol", "linear", "--run", "mast", "--seed", "0", "--task", "digits"]
    assert main(["evaluate", "--config", SMOKE, *names]) == 2
    assert f"{features}: features of another encoder than the one in results/smoke/" in capsys.readouterr().err
