"""One finished smoke run: all files exist, nothing is done twice, a change reruns what depends on it."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT
from support.projects import ENVIRONMENT, Project, planned

pytestmark = [pytest.mark.slow(minutes=5), pytest.mark.xdist_group("smoke")]

RUN = "results/smoke/pretrain/shapes/{run}/seed{seed}/encoder.safetensors"
EPOCHS_OF_ONE_RUN = ("MAST without masks, ", "MAST without masks, epochs: 1, ")


def encoder(project: Project, run: str, seed: int = 0) -> Path:
    return project.directory / RUN.format(run=run, seed=seed)


def test_every_artefact_is_there(finished: Project) -> None:
    results = finished.directory / "results/smoke"
    studies = ("linear", "knn", "ablation_augmentations", "ablation_uncertainty", "detection", "detection_frozen")
    for study in (*studies, "few_shot", "svm", "linear_sgd", "semi_1", "semi_10"):
        for suffix in ("csv", "md", "tex", "html"):
            assert (results / f"tables/{study}.{suffix}").stat().st_size > 0
    for figure in (
        "losses",
        "masks",
        "clusters",
        "invariance",
        "retrieval",
        "difficulty",
        "certainty",
        "motivation",
        "length",
        "differences",
        "detections",
    ):
        assert (results / f"figures/{figure}.svg").read_text(encoding="utf-8").lstrip().startswith("<?xml")
        assert (results / f"figures/{figure}.png").read_bytes().startswith(b"\x89PNG")
    trained = results / "pretrain/shapes/mast/seed1"
    assert {file.name for file in trained.iterdir()} >= {
        "encoder.safetensors",
        "heads.safetensors",
        "metrics.jsonl",
        "run.json",
    }
    metrics = json.loads((results / "metrics/linear/digits/shapes/mast/seed1.json").read_text(encoding="utf-8"))
    assert (metrics["run"], metrics["seed"], metrics["task"]) == ("mast", 1, "digits")


def test_table_shows_every_run_task_and_number_of_seeds(finished: Project) -> None:
    table = (finished.directory / "results/smoke/tables/linear.md").read_text(encoding="utf-8")
    header = next(line for line in table.splitlines() if line.startswith("| run"))
    for column in ("shape", "hue", "facing", "texture", "size", "light", "digits", "mean"):
        assert f" {column} " in header
    seeds = {line.split("|")[1].strip(): line.split("|")[-2].strip() for line in table.splitlines() if "|" in line}
    assert {run: seeds[run] for run in ("Untrained", "Supervised", "VICReg", "MAST")} == {
        "Untrained": "1",
        "Supervised": "1",
        "VICReg": "1",
        "MAST": "2",
    }


def test_nothing_in_finished_results_differs_from_what_was_recorded(finished: Project) -> None:
    command = [sys.executable, "-m", "mast.cli", "verify", "results/smoke"]
    run = subprocess.run(command, cwd=finished.directory, env=ENVIRONMENT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
    assert run.stdout.splitlines()[-1].endswith("0 mismatches, 0 temporary files")


def test_the_health_of_every_run_and_seed_is_in_the_report(finished: Project) -> None:
    lines = (finished.directory / "results/smoke/health.csv").read_text(encoding="utf-8").splitlines()[1:]
    trained = sorted(file.parent for file in (finished.directory / "results/smoke/pretrain").rglob("run.json"))
    assert sorted(tuple(line.split(",")[:2]) for line in lines) == sorted(
        (folder.parent.name, folder.name.removeprefix("seed")) for folder in trained
    )
    assert "Health of the runs" in (finished.directory / "results/smoke/report.html").read_text(encoding="utf-8")


def test_every_job_left_a_log_and_heavy_ones_a_benchmark(finished: Project) -> None:
    results = finished.directory / "results/smoke"
    for encoder_file in (results / "pretrain").rglob("encoder.safetensors"):
        job = encoder_file.parent.relative_to(results)
        assert (results / f"logs/{job}.log").exists()
        assert (results / f"benchmarks/{job}.tsv").stat().st_size > 0
    log = (results / "logs/pretrain/shapes/mast/seed0.log").read_text(encoding="utf-8")
    assert "images/s" in log
    assert "\r" not in log


def test_report_holds_tables_figures_and_captions_and_needs_no_network(finished: Project) -> None:
    page = (finished.directory / "results/smoke/report.html").read_text(encoding="utf-8")
    for title in ("Linear evaluation", "Nearest neighbours", "Detection transfer", "losses.svg", "uncertainty.svg"):
        assert title in page
    assert "Masked Augmentation Subspace Training" in page
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=.?https?://", page)


def test_the_page_to_open_first_begins_with_the_main_table(finished: Project) -> None:
    results = finished.directory / "results/smoke"
    page = (results / "index.html").read_text(encoding="utf-8")
    tables = re.findall(r'<table aria-labelledby="([^"]+)"', page)
    assert tables[0] == "linear" and tables[-1] == "health"
    assert sorted(tables) == sorted(file.stem for file in (*results.glob("tables/*.html"), results / "health.html"))
    assert page.count("<img ") == len(list(results.glob("figures/*.png")))


def test_a_second_run_does_nothing(finished: Project) -> None:
    before = finished.files()
    run = finished.smoke("all")
    assert run.returncode == 0
    assert "Nothing to be done" in run.stdout
    assert finished.files() == before


def test_one_key_of_one_run_replans_that_run_and_what_follows(finished: Project) -> None:
    run = finished.snakemake("--dry-run", "all", "--configfile", finished.edited(EPOCHS_OF_ONE_RUN))
    jobs = planned(run.stdout)
    for rule in ("pretrain_run", "extract_features", "evaluate_features"):
        assert [job["run"] for job in jobs[rule]] == ["mast-no-masks"], rule
    assert jobs.keys() == {
        "pretrain_run",
        "extract_features",
        "evaluate_features",
        "table_ablation_uncertainty",
        "health_of_runs",
        "make_report",
        "all",
    }


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        (
            ("title: Linear evaluation", "title: Linear probes"),
            {"table_linear", "comparison_linear", "figure_differences", "make_report", "all"},
        ),
        (("label: Supervised", "label: With labels"), {"table_linear", "make_report", "all"}),
        (("pretrain: {mem_mb: 1500", "pretrain: {threads: 2, mem_mb: 1600"), {"make_report", "all"}),
        (
            ("k: 5", "k: 7"),
            {"evaluate_features", "table_knn", "figure_length", "make_report", "all"},
        ),
    ],
    ids=["caption", "label", "resources", "protocol"],
)
def test_what_is_no_setting_of_training_retrains_nothing(
    finished: Project, change: tuple[str, str], rules: set[str]
) -> None:
    run = finished.snakemake("--dry-run", "all", "--configfile", finished.edited(change))
    assert planned(run.stdout).keys() == rules


def test_results_of_an_older_version_of_a_protocol_are_made_again(finished: Project, tmp_path: Path) -> None:
    raised = "from mast.protocols.knn import KnnProtocol\nKnnProtocol.VERSION += 1\n"
    (tmp_path / "sitecustomize.py").write_text(raised, encoding="utf-8")
    run = finished.smoke("--dry-run", "all", environment={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"})
    jobs = planned(run.stdout)
    assert jobs.keys() == {"evaluate_features", "table_knn", "figure_length", "make_report", "all"}
    assert {job["protocol"] for job in jobs["evaluate_features"]} == {"knn"}


def test_a_new_task_is_prepared_and_evaluated_and_retrains_nothing(finished: Project) -> None:
    data = "digits: {kind: digits, size: 16}"
    more = (data, data + "\n  larger: {kind: digits, size: 20}")
    run = finished.snakemake(
        "--dry-run", "all", "--configfile", finished.edited(more, ("[shapes, digits]", "[larger]"))
    )
    jobs = planned(run.stdout)
    assert [job["dataset"] for job in jobs["prepare_data"]] == ["larger"]
    assert {job["task"] for job in jobs["extract_features"]} == {"larger"}
    assert "pretrain_run" not in jobs
    assert "evaluate_scenes" not in jobs


def test_an_image_that_cannot_be_read_ends_the_run_before_any_training(project: Project) -> None:
    for split in ("train", "test"):
        for name in "abcdef":
            (project.directory / f"mine/{split}/{name}").mkdir(parents=True)
            for number in range(200):  # as many classes and images as the studies need
                (project.directory / f"mine/{split}/{name}/{number}.png").write_bytes(b"no image")
    folder = ("digits: {kind: digits, size: 16}", "digits: {kind: folder, root: mine}")
    run = project.snakemake("all", "--configfile", project.edited(folder))
    assert run.returncode != 0
    [message] = [line for line in run.stdout.splitlines() if line.startswith("mast: error: ")]
    assert "/a/0.png" in message
    assert not (project.directory / "results/smoke/pretrain").exists()


def test_tables_are_rebuilt_from_metrics_without_torch(finished_copy: Project, tmp_path: Path) -> None:
    before = finished_copy.files()
    results = finished_copy.directory / "results/smoke"
    for table in (*results.glob("tables/*"), *results.glob("health.*")):
        table.unlink()
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked/torch.py").write_text("raise ImportError('a table must not need torch')\n")
    run = finished_copy.smoke("tables", environment={"PYTHONPATH": f"{tmp_path / 'blocked'}{os.pathsep}{ROOT}"})
    assert run.returncode == 0, run.stdout[-3000:]
    others = {rule for rule in planned(run.stdout) if not rule.startswith("table_")}
    assert others == {"tables", "comparison_linear", "health_of_runs"}
    after = finished_copy.files()
    tables = [name for name in before if name.startswith(("tables/", "health."))]
    assert len(tables) == 64
    assert {name: after[name] for name in tables} == {name: before[name] for name in tables}


def test_a_job_that_fails_says_why_in_one_line_and_keeps_what_was_there(finished_copy: Project) -> None:
    before = finished_copy.files()
    changed = finished_copy.edited(("MAST without masks, ", "MAST without masks, optimizer: {lr: 1.0e+30}, "))
    run = finished_copy.snakemake("all", "--configfile", changed)
    assert run.returncode != 0
    [message] = [line for line in run.stdout.splitlines() if line.startswith("mast: error: ")]
    assert "training diverged" in message
    after = finished_copy.files()
    kept = [name for name in before if not name.startswith(("logs/", "benchmarks/"))]
    assert {name for name in kept if after.get(name) != before[name]} == set()


def test_the_same_seed_gives_the_same_encoder_byte_for_byte(finished: Project, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mast.cli", "pretrain", "--config", "config/smoke.yaml", "--run", "mast"]
    subprocess.run(
        [*command, "--seed", "1", "--gpus", "0", "--output", str(tmp_path)],
        cwd=finished.directory,
        env=ENVIRONMENT,
        check=True,
    )
    hashes = {
        hashlib.sha256(file.read_bytes()).hexdigest()
        for file in (encoder(finished, "mast", 1), tmp_path / "encoder.safetensors")
    }
    assert len(hashes) == 1
    assert encoder(finished, "mast", 0).read_bytes() != encoder(finished, "mast", 1).read_bytes()
