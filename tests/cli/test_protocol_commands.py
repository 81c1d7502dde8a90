"""The commands of the protocols check what they are given before anything is computed."""

import pytest
from support import ROOT

from mast.cli import main

SMOKE = str(ROOT / "config/smoke.yaml")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["few-shot", "--config", SMOKE, "--protocol", "knn"], ["'knn'", "takes 'few-shot'"]),
        (["svm-voc", "--config", SMOKE, "--protocol", "knn"], ["'knn'", "takes 'svm-voc'"]),
        (["linear-sgd", "--config", SMOKE, "--protocol", "linear"], ["'linear-lbfgs'", "takes 'linear-sgd'"]),
        (["semi", "--config", SMOKE, "--protocol", "linear"], ["takes 'semi-1' or 'semi-10'"]),
        (["semi", "--protocol", "s", "--spec", '{"kind": "semi-1", "fractoin": 1}'], ["--spec", "'fractoin'"]),
        (["semi", "--protocol", "s", "--spec", '{"kind": "semi-1", "fraction": 2}'], ["--spec: fraction", "got 2"]),
        (["few-shot", "--protocol", "f", "--spec", '{"kind": "few-shot", "ways": 1}'], ["--spec: ways", "got 1"]),
        (["semi", "--protocol", "s", "--spec", '{"kind": "semi-1"}'], ["--encoder", "required without --config"]),
        (
            ["linear-sgd", "--config", SMOKE, "--protocol", "linear-sgd", "--run", "mast", "--task", "digits"],
            ["--seed", "required"],
        ),
    ],
)
def test_mistake_is_one_line(arguments: list[str], named: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("mast: error: ")
    assert printed.count("\n") == 1
    for word in named:
        assert word in printed
