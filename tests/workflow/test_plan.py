"""The workflow plans the right jobs, and refuses wrong configurations."""

import re
import resource

import pytest
from support import ROOT
from support.projects import Project, planned

pytestmark = pytest.mark.slow

TRAINING = {"prepare_data", "pretrain_run"}
STAGES = {*TRAINING, "extract_features", "evaluate_features", "evaluate_scenes"}
STUDIES = {"linear", "knn", "ablation_augmentations", "ablation_uncertainty", "detection"}
TARGETS = {"all", "data", "pretrain", "evaluate", "detection", "tables", "figures", "report"}
FIGURES = {
    *("losses", "masks", "overlap", "clusters", "invariance", "detections"),
    *("uncertainty", "difficulty", "certainty", "motivation"),
}


@pytest.fixture
def default_plan(project: Project) -> str:
    run = project.snakemake("--dry-run", "all")
    assert run.returncode == 0, run.stdout[-3000:]
    return run.stdout


def test_default_plan_is_fast_and_holds_every_stage(project: Project) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = project.snakemake("--dry-run", "all")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime  # whatever else runs here
    print(f"planned in {seconds:.1f} s")
    assert run.returncode == 0, run.stdout[-3000:]
    assert seconds < 5
    jobs = planned(run.stdout)
    assert jobs.keys() >= STAGES | {"analyze_run", "make_report"}
    assert jobs.keys() >= {f"table_{study}" for study in STUDIES} | {f"figure_{figure}" for figure in FIGURES}
    runs = {job["run"] for job in jobs["pretrain_run"]}
    assert runs >= {"untrained", "supervised", "vicreg", "mast", "mast-no-masks", "mast-uncertainty"}
    for run_of_tables in ("untrained", "supervised", "vicreg", "mast"):
        assert len([job for job in jobs["pretrain_run"] if job["run"] == run_of_tables]) >= 2
    assert {job["run"] for job in jobs["evaluate_scenes"]} == {"untrained", "vicreg", "mast"}
    linear = [job for job in jobs["evaluate_features"] if job["protocol"] == "linear"]
    assert {job["task"] for job in linear} == {"shapes", "digits"}


def test_every_job_states_log_and_resources(default_plan: str) -> None:
    blocks = re.split(r"\n(?=(?:local)?rule )", default_plan)[1:]
    jobs = [block for block in blocks if not re.match(r"(?:local)?rule all:", block)]
    assert len(jobs) > 50
    for job in jobs:
        assert "\n    log: " in job, job
        for need in ("mem_mb=", "runtime=", "gpus="):
            assert need in job, job


def test_every_target_and_study_is_a_rule(project: Project) -> None:
    rules = set(project.snakemake("--list-rules").stdout.split())
    assert rules >= TARGETS | STUDIES


@pytest.mark.parametrize(
    ("target", "rules"),
    [
        ("data", {"prepare_data"}),
        ("pretrain", TRAINING),
        ("ablation_uncertainty", {*STAGES - {"evaluate_scenes"}, "table_ablation_uncertainty"}),
        ("results/smoke/metrics/knn/digits/shapes/vicreg/seed7.json", STAGES - {"evaluate_scenes"}),
    ],
)
def test_a_target_plans_what_it_needs(project: Project, target: str, rules: set[str]) -> None:
    run = project.smoke("--dry-run", target)
    assert run.returncode == 0, run.stdout[-3000:]
    assert planned(run.stdout).keys() - {target} == rules


def test_the_name_of_an_experiment_is_all_of_it(project: Project) -> None:
    name = "any-name.1"
    run = project.snakemake("--dry-run", name, "--configfile", project.edited(("name: smoke\n", f"name: {name}\n")))
    jobs = planned(run.stdout).keys()
    assert jobs >= STAGES | {"make_report", "health_of_runs", "comparison_linear"}, run.stdout[-3000:]
    assert jobs >= {f"table_{study}" for study in STUDIES} | {f"figure_{figure}" for figure in FIGURES}


@pytest.mark.parametrize("name", ["linear", "pretrain"])
def test_a_target_comes_before_an_experiment_of_its_name(project: Project, name: str) -> None:
    run = project.snakemake("--dry-run", name, "--configfile", project.edited(("name: smoke\n", f"name: {name}\n")))
    assert run.returncode == 0, run.stdout[-3000:]
    assert "make_report" not in planned(run.stdout)


def test_a_configuration_of_ones_own_is_not_mixed_with_the_default(project: Project) -> None:
    run = project.smoke("--dry-run", "all")
    assert {job["run"] for job in planned(run.stdout)["pretrain_run"]} == {
        "untrained",
        "supervised",
        "vicreg",
        "mast",
        "mast-no-masks",
        "mast-uncertainty",
        "mast-crop-flip",
    }


def test_one_key_can_be_replaced_on_the_command_line(project: Project) -> None:
    run = project.snakemake("--dry-run", "data", "--config", "results=else where")
    assert "else where/data/shapes/manifest.json" in run.stdout


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("epochs: 2", "epohcs: 2", "config/edited.yaml: pretrain: unknown key 'epohcs'; did you mean 'epochs'?"),
        ("batch_size: 64", "batch_size: lots", "config/edited.yaml: pretrain.batch_size: Input should be a valid int"),
        ("runs: [untrained, supervised, vicreg, mast]", "runs: [mats]", "studies.linear.runs: 'mats' is not in runs"),
    ],
)
def test_a_mistake_in_the_configuration_is_one_line(project: Project, old: str, new: str, named: str) -> None:
    run = project.snakemake("--dry-run", "all", "--configfile", project.edited((old, new)))
    assert run.returncode != 0
    assert named in run.stdout
    assert "Traceback" not in run.stdout
    assert len(run.stdout.splitlines()) < 8


def test_a_study_named_like_a_rule_is_refused(project: Project) -> None:
    edited = project.edited(("\n  knn:\n    title", "\n  all:\n    title"), ("length: [knn]", "length: [all]"))
    run = project.snakemake("--dry-run", "--configfile", edited)
    assert run.returncode != 0
    assert "studies.all: a rule of the workflow has this name; choose another" in run.stdout
    assert "Traceback" not in run.stdout


def test_readme_of_results_names_every_stage() -> None:
    readme = (ROOT / "results/README.md").read_text(encoding="utf-8")
    for folder in ("data/", "pretrain/", "features/", "metrics/", "analysis/", "tables/", "figures/", "index.html"):
        assert folder in readme
