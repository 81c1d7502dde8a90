"""Paths of artefacts are those in docs/use/formats.md."""

import pytest
from support import ROOT

from mast.config.experiment import Experiment
from mast.config.load import load_experiment
from mast.config.plan import figure_files, of_runs, study_metrics
from mast.results import Results


@pytest.fixture
def smoke() -> Experiment:
    return load_experiment(ROOT / "config/smoke.yaml")


def test_every_seed_of_a_run(smoke: Experiment) -> None:
    results = Results(smoke.results)
    assert of_runs(smoke, lambda *names: results.run(*names).log, ["vicreg", "mast"]) == [
        "results/smoke/pretrain/shapes/vicreg/seed0/metrics.jsonl",
        "results/smoke/pretrain/shapes/mast/seed0/metrics.jsonl",
        "results/smoke/pretrain/shapes/mast/seed1/metrics.jsonl",
    ]


def test_a_study_needs_every_task_run_and_seed(smoke: Experiment) -> None:
    assert study_metrics(smoke, "detection") == [
        "results/smoke/metrics/detection/scenes/shapes/untrained/seed0.json",
        "results/smoke/metrics/detection/scenes/shapes/mast/seed0.json",
        "results/smoke/metrics/detection/scenes/shapes/mast/seed1.json",
    ]
    assert len(study_metrics(smoke, "linear")) == 2 * (3 + 2)


def test_runs_with_one_label_stay_apart_in_a_figure(smoke: Experiment) -> None:
    shown = smoke.figures.model_copy(update={"losses": ("vicreg", "mast", "mast-crop-flip")})
    files = figure_files(smoke.model_copy(update={"figures": shown}), "losses")
    assert list(files) == ["VICReg", "MAST (mast)", "MAST (mast-crop-flip)"]
    assert files["MAST (mast-crop-flip)"] == ["results/smoke/pretrain/shapes/mast-crop-flip/seed0/metrics.jsonl"]


def test_detections_come_with_the_data_that_they_are_drawn_on(smoke: Experiment) -> None:
    assert figure_files(smoke, "detections") == {
        label: [
            f"results/smoke/metrics/detection/scenes/shapes/{run}/seed0.predictions.json",
            "results/smoke/data/scenes/manifest.json",
        ]
        for label, run in (("Untrained", "untrained"), ("MAST", "mast"))
    }
    none = smoke.figures.model_copy(update={"detections": ()})
    assert figure_files(smoke.model_copy(update={"figures": none}), "detections") == {}
