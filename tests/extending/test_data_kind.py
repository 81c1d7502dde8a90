"""One new file in a copy of the package, and its entry in a configuration, add a data kind."""

import csv
import json
import subprocess
import sys
from pathlib import Path

from support.extending import copied_checkout, example

CONFIG = """
name: mine
results: results
{datasets}
seeds: [0]
pretrain:
  dataset: stripes
  encoder: {{name: resnet-narrow, stem: small, widths: [8, 8, 16, 16]}}
  projector: {{hidden: 16, output: 8}}
  optimizer: {{name: adamw, lr: 1.0e-3, warmup_epochs: 0}}
  epochs: 1
  batch_size: {batch_size}
runs:
  mast: {{method: mast}}
protocols:
  knn: {{kind: knn, k: 2}}
studies:
  knn: {{title: Nearest neighbours, protocol: knn, tasks: [stripes], runs: [mast]}}
"""


def test_a_new_kind_is_prepared_trained_on_and_evaluated(tmp_path: Path) -> None:
    project = copied_checkout(tmp_path / "a copy")
    (project.directory / "mast/data/readers/stripes.py").write_text(example("Add a data kind", "python"))
    configuration = project.directory / "config/mine.yaml"
    datasets = example("Add a data kind", "yaml")

    configuration.write_text(CONFIG.format(datasets=datasets, batch_size=81))
    refused = project.snakemake("--dry-run", "tables", "--configfile", str(configuration))
    assert "batch_size: 81 is more than the 80 training images of 'stripes'" in refused.stdout

    configuration.write_text(CONFIG.format(datasets=datasets, batch_size=40))
    run = project.snakemake("tables", "--configfile", str(configuration))
    assert run.returncode == 0, run.stdout[-3000:]
    manifest = json.loads((project.directory / "results/data/stripes/manifest.json").read_text())
    assert manifest["targets"] == {"direction": ["rows", "columns"], "width": ["thin", "thick"]}
    with (project.directory / "results/tables/knn.csv").open(encoding="utf-8") as file:
        found = {row["target"]: float(row["mean"]) for row in csv.DictReader(file) if row["task"] == "stripes"}
    assert found.keys() == {"direction", "width"} and all(0 <= value <= 100 for value in found.values())

    reference = [sys.executable, "-m", "mast.cli", "schema", "--markdown"]
    shown = subprocess.run(reference, cwd=project.directory, capture_output=True, text=True, check=True).stdout
    assert "Noisy stripes of two directions and two widths." in shown
