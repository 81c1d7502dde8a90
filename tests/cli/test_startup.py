"""A command imports only what it uses, because each job of a workflow repeats its imports."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "torchvision", "timm", "pandas", "sklearn", "matplotlib", "snakemake", "mast.config.experiment"}
NARROW = '{"dataset": "shapes", "encoder": {"name": "resnet-narrow"}}'
RESNET18 = '{"dataset": "shapes", "encoder": {"name": "resnet18"}}'
FEATURES = ["--features", "none", "--output", "none"]
RUN = ["--run", "r", "--seed", "0", "--data", "none", "--output", "none", "--gpus", "0"]
CODE = """
import sys
from mast.cli import main
main(sys.argv[1:])
print(*sorted(set(sys.modules)))
"""


def imported(*arguments: str) -> set[str]:
    """The modules that a command has imported when it finds that its inputs are missing."""
    done = subprocess.run([sys.executable, "-c", CODE, *arguments], capture_output=True, text=True, check=True)
    assert "mast: error: none" in done.stderr, done.stderr
    return set(done.stdout.split())


@pytest.mark.slow  # it starts commands that train, though without data
@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (["pretrain", "--spec", NARROW, *RUN], {"torch"}),
        (["pretrain", "--spec", RESNET18, *RUN], {"torch"}),
        (["features", "--encoder", "none", "--data", "none", "--output", "none", "--gpus", "0"], {"torch"}),
        (["evaluate", "--protocol", "p", "--spec", '{"kind": "knn"}', "--features", "none", "--output", "o"], set()),
        (
            [
                "evaluate",
                "--protocol",
                "p",
                "--spec",
                '{"kind": "linear-lbfgs"}',
                "--features",
                "none",
                "--output",
                "o",
            ],
            set(),
        ),
    ],
)
def test_only_what_is_needed_is_imported(arguments: list[str], needed: set[str]) -> None:
    assert imported(*arguments) & HEAVY == needed


@pytest.mark.parametrize("name", ["resnet-narrow", "resnet18"])
def test_training_uses_timm_for_no_encoder_but_its_own(name: str) -> None:
    code = f"""
import sys, torch
from mast.learner import Learner
from mast.distributed import ALONE
from mast.methods import METHODS
from mast.config.pretrain import PretrainSpec
from mast.pretraining import run, optim
spec = PretrainSpec(dataset="x", encoder={{"name": {name!r}}}, projector={{"hidden": 8, "output": 8}})
learner = Learner(METHODS["vicreg"](spec), 32, [0.5] * 3, [0.25] * 3, [], ALONE)
optim.build_optimizer(learner, [], 1.0, spec.optimizer)
print("timm" in sys.modules, "torchvision" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", str(name == "resnet18")]
