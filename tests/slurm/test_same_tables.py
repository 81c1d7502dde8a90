"""The workflow from data to tables gives the same bytes wherever its jobs run."""

import shutil
from pathlib import Path

import pytest
import yaml
from slurm_cluster import REPOSITORY, Cluster, Workflow


@pytest.fixture(scope="module")
def smoke() -> str:
    """config/smoke.yaml with one run and one study."""
    configuration = yaml.safe_load((REPOSITORY / "config/smoke.yaml").read_text())
    configuration["results"] = "results"
    configuration["runs"] = {"mast": configuration["runs"]["mast"] | {"seeds": [0]}}
    configuration["datasets"] = {"shapes": configuration["datasets"]["shapes"]}
    linear = {"title": "Linear", "protocol": "linear", "tasks": ["shapes"], "runs": ["mast"]}
    configuration["studies"] = {"linear": linear}
    configuration.pop("figures")
    return yaml.safe_dump(configuration)


def test_tables_are_the_same_on_slurm_locally_and_without_submitit(
    smoke: str, tmp_path: Path, cluster: Cluster
) -> None:
    profiles = ("slurm", "submitit-local", "default")
    runs = {}
    for profile in profiles:
        directory = tmp_path / profile
        (directory / "config").mkdir(parents=True)
        shutil.copy(REPOSITORY / "config/published.yaml", directory / "config")
        (directory / "config.yaml").write_text(smoke)
        flow = Workflow(directory, cluster, f"include: {str(REPOSITORY / 'workflow/Snakefile')!r}")
        runs[profile] = flow.start("tables", "--configfile", "config.yaml", profile=profile)
    for run in runs.values():
        assert run.wait(900) == 0, run.output
    tables = {profile: _bytes(tmp_path / profile / "results/tables") for profile in profiles}
    assert {"linear.csv", "linear.md", "linear.tex", "linear.html"} <= tables["default"].keys()
    assert tables["slurm"] == tables["default"]
    assert tables["submitit-local"] == tables["default"]
    assert runs["slurm"].output.count("is submitted as") == runs["submitit-local"].output.count("is submitted as") >= 4


def _bytes(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}
