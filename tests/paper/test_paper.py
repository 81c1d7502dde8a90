"""The paper's configurations can be planned without data, and run completely at `scale=tiny` on fixtures."""

import csv
import os
import resource
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from support import ROOT
from support.commands import commands_of, run_commands
from support.fixture_data import write_all

from mast.config.load import load_experiment

pytestmark = pytest.mark.slow(minutes=1)

PAPERS = ("stl10", "imagenet")
SHOWN = ("top1", "top5", "mean_per_class", "mAP", "AP", "AP50", "AP75")


def plan(directory: Path, paper: str, *config: str) -> str:
    """A dry run of `all`, with the commands of all jobs in the order in which they may run."""
    shutil.copytree(ROOT / "config", directory / "config", dirs_exist_ok=True)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "workflow/Snakefile"), "--dry-run"]
    override = ["--config", *config] if config else []
    run = subprocess.run(
        [
            *command,
            "--printshellcmds",
            "--configfile",
            f"config/paper/{paper}.yaml",
            *override,
            "--",
            "all",
        ],
        cwd=directory,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, (run.stdout + run.stderr)[-3000:]
    return run.stdout + run.stderr


@pytest.mark.parametrize("paper", PAPERS)
def test_planned_without_data(paper: str, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = plan(tmp_path, paper)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"planned in {seconds:.1f} s")
    assert seconds < 10
    experiment = load_experiment(ROOT / f"config/paper/{paper}.yaml")
    commands = commands_of(output)
    trainings = sum(len(experiment.run_seeds(run)) for run in experiment.runs)
    assert sum(command.startswith("pretrain ") for command in commands) == trainings
    assert sum(command.startswith("prepare ") for command in commands) == len(experiment.datasets)
    assert sum(command.startswith("table ") for command in commands) == len(experiment.studies)
    grids = {protocol for protocol, spec in experiment.protocols.items() if spec.feature_pooling == "grid"}
    for command in commands:
        if command.startswith("features ") or "--features " in command:
            wanted = any(f"--protocol {protocol} " in command for protocol in grids) or "--pooling grid" in command
            assert ("+grid.npz" in command) == wanted, command
    assert any("--pooling grid" in command for command in commands) == bool(grids)


@pytest.mark.parametrize("paper", PAPERS)
def test_runs_as_a_whole_on_fixtures(paper: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all(tmp_path / "data")
    output = plan(tmp_path, paper, "scale=tiny", f"data_root={tmp_path / 'data'}")
    monkeypatch.chdir(tmp_path)
    run_commands(output)
    tables = tmp_path / f"results/{paper}-tiny/tables"
    experiment = load_experiment(ROOT / f"config/paper/{paper}.yaml")
    for study, spec in experiment.studies.items():
        with (tables / f"{study}.csv").open(encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["task"] != "all"]  # the mean over tasks
        measured = {(row["run"], row["task"]) for row in rows if row["metric"] in SHOWN and row["mean"]}
        assert measured == set(product(spec.runs, spec.tasks)), study
        assert all(row["mean"] for row in rows if row["metric"] in SHOWN), study
        assert (tables / f"{study}.html").stat().st_size
        assert spec.compare is None or (tables / f"{study}_comparison.csv").stat().st_size
