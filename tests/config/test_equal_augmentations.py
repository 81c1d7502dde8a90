"""VICReg and MAST, if a configuration compares them, are trained on the same views."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import ROOT

from mast.config.experiment import Experiment
from mast.config.load import load_experiment

CONFIGURATIONS = sorted(path for path in (ROOT / "config").rglob("*.yaml") if path.name != "published.yaml")
MAST_5 = {"mast-5": "vicreg", "mast-5-100": "vicreg-100"}
"""MAST run of config/paper/imagenet.yaml → the VICReg run beside it; elsewhere the names say it."""


def pairs(experiment: Experiment) -> Iterator[tuple[str, str]]:
    for run, spec in experiment.runs.items():
        baseline = MAST_5.get(run, run.replace("mast", "vicreg", 1))
        if spec.method == "mast" and baseline in experiment.runs and baseline != run:
            yield baseline, run


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_runs_that_are_compared_have_the_same_augmentations(path: Path) -> None:
    experiment = load_experiment(path)
    found = list(pairs(experiment))
    assert found or not {spec.method for spec in experiment.runs.values()} >= {"vicreg", "mast"}
    for vicreg, mast in found:
        policies = [experiment.pretrain_spec(run).policy for run in (vicreg, mast)]
        assert policies[0] == policies[1], (vicreg, mast)


def test_mast_5_on_imagenet_has_vicregs_published_augmentations() -> None:
    experiment = load_experiment(ROOT / "config/paper/imagenet.yaml")
    assert {mast: vicreg for vicreg, mast in pairs(experiment)} == MAST_5
    policy = experiment.pretrain_spec("mast-5").policy
    assert policy.names == ("crop", "flip", "jitter", "grayscale", "blur", "solarize")
    assert policy.blur.probability == (1.0, 0.1) and policy.solarize.probability == (0.0, 0.2)


def test_blur_on_stl10_is_augselfs() -> None:
    """hankook/AugSelf, datasets.py: `GaussianBlur(9, (0.1, 2.0))` on images of 96 pixels, half of them."""
    blur = load_experiment(ROOT / "config/paper/stl10.yaml").pretrain_spec("vicreg").policy.blur
    assert (blur.kernel, blur.sigma, blur.reference_size, blur.probability) == (9, (0.1, 2.0), 96, 0.5)
