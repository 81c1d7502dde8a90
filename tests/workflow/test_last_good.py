"""A result that cannot be made again stays, and the next run still tries to make it again."""

from pathlib import Path

import pytest
from support.projects import Project, planned

pytestmark = [pytest.mark.slow(minutes=5), pytest.mark.xdist_group("smoke")]

SMOKE = Path("results/smoke")
REPORTING = ("tables/*", "figures/*", "health.*", "index.html", "report.html", "config.json")
ENCODER = SMOKE / "pretrain/shapes/vicreg/seed0/encoder.safetensors"


def reporting(project: Project) -> dict[str, bytes]:
    """Return the report that a reader sees."""
    files = [file for pattern in REPORTING for file in (project.directory / SMOKE).glob(pattern)]
    return {file.name: file.read_bytes() for file in files}


def test_tables_figures_and_report_of_before_stay_until_they_can_be_made_again(finished_copy: Project) -> None:
    before, results = reporting(finished_copy), finished_copy.directory / SMOKE
    damaged = {
        file: file.read_bytes()
        for file in (
            results / "metrics/linear/shapes/shapes/vicreg/seed0.json",
            results / "pretrain/shapes/vicreg/seed0/metrics.jsonl",
            results / "pretrain/shapes/untrained/seed0/run.json",
        )
    }
    for file, content in damaged.items():
        file.write_bytes(content + b"x")
    run = finished_copy.smoke("all", "--keep-going")
    failed = {"table_linear", "comparison_linear", "health_of_runs", "figure_losses"}
    assert run.returncode != 0
    assert all(f"Error in rule {rule}:" in run.stdout for rule in failed), run.stdout[-5000:]
    assert reporting(finished_copy) == before

    for file, content in damaged.items():
        file.write_bytes(content)
    (results / ".report.html").mkdir()  # in its place the report is written
    run = finished_copy.smoke("all", "--keep-going")
    assert run.returncode != 0
    assert run.stdout.count("Error in rule") == 1, run.stdout[-5000:]
    assert planned(run.stdout).keys() == failed | {"figure_differences", "make_report"}
    assert reporting(finished_copy) == before

    (results / ".report.html").rmdir()
    run = finished_copy.smoke("all")
    assert run.returncode == 0, run.stdout[-5000:]
    assert planned(run.stdout).keys() == {"make_report", "all"}
    assert reporting(finished_copy) | {"report.html": b""} == before | {"report.html": b""}  # it has the time in it
    assert "Nothing to be done" in finished_copy.smoke("--dry-run", "all").stdout


def test_an_encoder_of_before_is_not_taken_for_that_of_a_training_that_failed(finished_copy: Project) -> None:
    before = (finished_copy.directory / ENCODER).read_bytes()
    diverging = finished_copy.edited(("lr: 1.0e-3, weight_decay", "lr: 1.0e+30, weight_decay"))
    run = finished_copy.snakemake(str(ENCODER), "--configfile", diverging)
    assert run.returncode != 0
    assert "mast: error: training diverged" in run.stdout
    assert (finished_copy.directory / ENCODER).read_bytes() == before
    plan = finished_copy.snakemake("--dry-run", str(ENCODER), "--configfile", diverging)
    assert planned(plan.stdout).keys() == {"pretrain_run"}
