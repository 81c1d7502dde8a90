"""The workflow from data to tables gives the same bytes wherever its jobs run."""

import shutil
from pathlib import Path

import pytest
import yaml
from slurm_lab.cluster import Cluster
from slurm_lab.workflow import Run, Workflow
from support import ROOT

PROFILES = ("slurm", "submitit-local", "default")
SMOKE = yaml.safe_load((ROOT / "config/smoke.yaml").read_text())
RESULTS = {"results": "results"}
ONE_RUN = {
    "datasets": {"shapes": SMOKE["datasets"]["shapes"]},
    "runs": {"mast": SMOKE["runs"]["mast"] | {"seeds": [0]}},
    "studies": {"linear": {"title": "Linear", "protocol": "linear", "tasks": ["shapes"], "runs": ["mast"]}},
    "figures": {},
}


def test_tables_are_the_same_on_slurm_locally_and_without_submitit(tmp_path: Path, cluster: Cluster) -> None:
    runs = _run_everywhere("tables", SMOKE | RESULTS | ONE_RUN, tmp_path, cluster)
    tables = _tables(tmp_path)
    assert {"linear.csv", "linear.md", "linear.tex", "linear.html"} <= tables["default"].keys()
    assert tables["slurm"] == tables["default"]
    assert tables["submitit-local"] == tables["default"]
    assert runs["slurm"].output.count("is submitted as") == runs["submitit-local"].output.count("is submitted as") >= 4


@pytest.mark.cluster
def test_the_whole_smoke_configuration_gives_the_same_tables_everywhere(tmp_path: Path, cluster: Cluster) -> None:
    _run_everywhere("all", SMOKE | RESULTS, tmp_path, cluster)
    tables = _tables(tmp_path)
    assert {f"{study}.csv" for study in SMOKE["studies"]} <= tables["default"].keys()
    assert tables["slurm"] == tables["default"]
    assert tables["submitit-local"] == tables["default"]


def _run_everywhere(target: str, configuration: dict, directory: Path, cluster: Cluster) -> dict[str, Run]:
    runs = {}
    for profile in PROFILES:
        own = directory / profile
        (own / "config").mkdir(parents=True)
        shutil.copy(ROOT / "config/published.yaml", own / "config")
        (own / "config.yaml").write_text(yaml.safe_dump(configuration))
        options = ("--profile", str(ROOT / "profiles" / profile))
        flow = Workflow(own, cluster, f"include: {str(ROOT / 'workflow/Snakefile')!r}", options)
        runs[profile] = flow.start(target, "--configfile", "config.yaml")
    for run in runs.values():
        assert run.wait(3600) == 0, run.output
    return runs


def _tables(directory: Path) -> dict[str, dict[str, bytes]]:
    """Profile → file → content."""
    folders = {profile: directory / profile / "results/tables" for profile in PROFILES}
    return {name: {path.name: path.read_bytes() for path in folder.iterdir()} for name, folder in folders.items()}
