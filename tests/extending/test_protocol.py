"""One new file in a copy of the package, and a study under it in a configuration, add a protocol."""

import csv
import subprocess
import sys
from pathlib import Path

from support.extending import copied_checkout, example
from support.projects import Project

CONFIG = """
name: mine
results: results
datasets:
  shapes: {kind: shapes, train: 200, test: 40, size: 16}
seeds: [0]
pretrain:
  dataset: shapes
  encoder: {name: resnet-narrow, stem: small, widths: [8, 8, 8, 8]}
  projector: {hidden: 8, output: 8}
  optimizer: {name: adamw, lr: 1.0e-3, warmup_epochs: 0}
  epochs: 1
  batch_size: 32
runs:
  vicreg: {method: vicreg}
"""


def extended(directory: Path, protocol: str) -> Project:
    """A copy of the checkout with the page's configuration, and this protocol."""
    project = copied_checkout(directory)
    (project.directory / "mast/protocols/nearest_mean.py").write_text(protocol, encoding="utf-8")
    (project.directory / "mine.yaml").write_text(CONFIG + example("Add a protocol", "yaml"), encoding="utf-8")
    return project


def test_a_new_protocol_is_evaluated_checked_and_described(tmp_path: Path) -> None:
    project = extended(tmp_path / "a copy", example("Add a protocol", "python"))
    run = project.snakemake("results/tables/means.csv", "evaluate", "--configfile", "mine.yaml")
    assert run.returncode == 0, run.stdout[-3000:]
    with (project.directory / "results/tables/means.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["task"] == "shapes"]
    assert {row["metric"] for row in rows} == {"top1", "top5", "mean_per_class"}
    assert {row["kind"] for row in rows} == {"nearest-mean"}
    assert all(0 <= float(row["mean"]) <= 100 for row in rows)

    edited = (project.directory / "mine.yaml").read_text(encoding="utf-8").replace("smallest: 2", "smallest: 200")
    (project.directory / "mine.yaml").write_text(edited, encoding="utf-8")
    refused = project.snakemake("--dry-run", "tables", "--configfile", "mine.yaml")
    assert "protocols.means.smallest: 200 is more than the" in refused.stdout

    reference = [sys.executable, "-m", "mast.cli", "schema", "--markdown"]
    shown = subprocess.run(reference, cwd=project.directory, capture_output=True, text=True, check=True).stdout
    assert "Classification by the nearest mean of a class, on frozen features." in shown


def test_a_kind_that_is_not_the_files_name_is_named(tmp_path: Path) -> None:
    protocol = example("Add a protocol", "python").replace('Literal["nearest-mean"]', 'Literal["mean"]')
    assert "the file's name is its kind; write kind: Literal['nearest-mean']" in planned_with(protocol, tmp_path)


def test_an_unknown_input_is_named(tmp_path: Path) -> None:
    protocol = example("Add a protocol", "python").replace('READS = "features"', 'READS = "feature"')
    message = "mast.protocols.nearest_mean: READS is 'feature'; did you mean 'features'?"
    assert message in planned_with(protocol, tmp_path)


def planned_with(protocol: str, directory: Path) -> str:
    project = extended(directory / "copy", protocol)
    return project.snakemake("--dry-run", "tables", "--configfile", "mine.yaml").stdout
