"""The verdict's configurations share no images or seeds with others; compared runs differ only in their methods."""

import pytest
from support import ROOT
from support.methods import drawn

from mast.config.experiment import Experiment
from mast.config.load import load_experiment
from mast.distributed import ALONE
from mast.learner import Learner
from mast.methods import METHODS
from mast.preflight.experiment import check_experiment

CONFIG = ROOT / "config"
PARTS = {name: load_experiment(CONFIG / f"claim-{name}.yaml") for name in ("shapes", "typefaces", "trend", "quick")}
OTHERS = [
    load_experiment(CONFIG / f"{name}.yaml")
    for name in (
        "claim",
        "claim-search",
        "aware-search",
        "peers-search",
        "mast-readings",
        "peers",
        "instrument",
        "config",
        "full",
    )
]
COMPARED = {
    *("vicreg", "vicreg-mild", "augself", "looc", "cassle", "mast", "mast-no-masks", "mast-uncertainty"),
    *("looc-crop", "cassle-colour", "mast-aware-crop", "mast-aware", "mast-aware-two"),
}


def seeds(experiment: Experiment) -> set[int]:
    return {seed for run in experiment.runs for seed in experiment.run_seeds(run)}


def images(experiment: Experiment) -> set[tuple[str, int]]:
    return {(data.kind, data.seed) for data in experiment.datasets.values() if hasattr(data, "seed")}


@pytest.mark.parametrize("part", PARTS)
def test_images_and_seeds_are_fresh(part: str) -> None:
    own = PARTS[part]
    for other in OTHERS:
        assert seeds(own).isdisjoint(seeds(other)) and images(own).isdisjoint(images(other)), other.name
    assert {getattr(protocol, "split", "test") for protocol in own.protocols.values()} == {"test"}
    assert min(seeds(own)) >= 300  # those of benchmarks/gpu/claim.py begin at 200


@pytest.mark.parametrize("part", PARTS)
def test_nothing_is_refused_when_it_is_planned(part: str) -> None:
    check_experiment(PARTS[part])


@pytest.mark.parametrize("part", ["shapes", "typefaces"])
def test_every_method_is_compared_over_five_seeds(part: str) -> None:
    study = PARTS[part].studies["verdict"]
    assert set(study.runs) == COMPARED | {"untrained"} and set(study.compare.runs) == COMPARED - {"vicreg"}
    assert all(len(PARTS[part].run_seeds(run)) >= 5 for run in study.runs)


@pytest.mark.parametrize("run", sorted(COMPARED))
def test_both_benchmarks_have_the_same_runs(run: str) -> None:
    one, other = (PARTS[part].pretrain_spec(run).model_dump(exclude={"dataset"}) for part in ("shapes", "typefaces"))
    assert one == other


@pytest.mark.parametrize("run", sorted(COMPARED - {"vicreg", "vicreg-mild"}))
def test_runs_differ_from_vicreg_in_their_method_alone(run: str) -> None:
    spec, vicreg = (PARTS["shapes"].pretrain_spec(name).model_dump() for name in (run, "vicreg"))
    changed = {key for key in spec | vicreg if spec.get(key) != vicreg.get(key)}
    assert changed <= {"method", spec["method"].replace("-", "_"), "objective"}
    assert spec["method"] == "mast" or "objective" not in changed


@pytest.mark.parametrize("run", ["vicreg", "augself", "mast", "mast-aware"])
def test_the_quick_part_and_the_trend_have_the_same_settings(run: str) -> None:
    def settings(part: str, name: str, *without: str) -> dict[str, object]:
        return PARTS[part].pretrain_spec(name).model_dump(exclude={"epochs", "dataset", *without})

    full = "mast-aware-crop" if run == "mast-aware" else run
    assert settings("quick", run) == settings("shapes", full)
    assert settings("quick", f"letters-{run}") == settings("typefaces", full)
    if run != "augself":
        assert PARTS["trend"].pretrain_spec(full) == PARTS["typefaces"].pretrain_spec(full)
        assert settings("trend", f"{run}-10") == settings("typefaces", full)
        assert settings("trend", f"{run}-half-10", "encoder") == settings("typefaces", full, "encoder")


@pytest.mark.parametrize(
    ("part", "study", "epochs"),
    [("shapes", "compute", 60), ("typefaces", "compute", 60), ("typefaces", "compute-long", 150)],
)
def test_at_equal_compute_all_runs_encode_each_image_equally_often(part: str, study: str, epochs: int) -> None:
    runs = PARTS[part].studies[study].runs
    assert set(PARTS[part].studies[f"{study}-ours"].runs) < set(runs)
    for run in runs:
        spec = PARTS[part].pretrain_spec(run)
        learner = Learner(METHODS[spec.method](spec), 16, [0.5] * 3, [0.25] * 3, [], ALONE)
        assert spec.epochs * len(learner.draw(4, drawn()).params) == epochs, run


@pytest.mark.parametrize(
    ("part", "run"),
    [
        *((part, run) for part in ("shapes", "typefaces") for run in ("looc-crop-12", "mast-aware-crop-12")),
        *(("typefaces", run) for run in ("vicreg-75", "augself-75")),
    ],
)
def test_runs_at_equal_compute_differ_in_their_length_alone(part: str, run: str) -> None:
    names = (run, run.rpartition("-")[0])
    one, other = (PARTS[part].pretrain_spec(name).model_dump(exclude={"epochs"}) for name in names)
    assert one == other
