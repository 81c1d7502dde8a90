"""`mast evaluate` checks its arguments before anything is computed."""

import pytest
from support import ROOT

from mast.cli import main

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
