"""One new file in a copy of the package, and its name in a configuration, add an augmentation."""

import json
from pathlib import Path

from safetensors import safe_open
from support.extending import copied_checkout, example

from mast.files import WEIGHTS_METADATA
from mast.records import HeadsMetadata, RunRecord
from mast.results import Results

SECTION = "Add an augmentation"
CONFIG = """
name: brighter
results: results
datasets:
  shapes: {{kind: shapes, train: 64, test: 32, size: 16}}
seeds: [0]
pretrain:
  dataset: shapes
  encoder: {{name: resnet-narrow, stem: small, widths: [8, 8, 16, 16]}}
  projector: {{hidden: 16, output: 8}}
  {policy}
  optimizer: {{name: adamw, lr: 1.0e-3, warmup_epochs: 0}}
  epochs: 1
  batch_size: 16
runs:
  vicreg: {{method: vicreg}}
protocols:
  knn: {{kind: knn, k: 2}}
studies:
  knn: {{title: Nearest neighbours, protocol: knn, tasks: [shapes], runs: [vicreg]}}
"""


def test_a_new_augmentation_is_trained_with(tmp_path: Path) -> None:
    project = copied_checkout(tmp_path / "a copy")
    (project.directory / "mast/augment/operations/gamma.py").write_text(example(SECTION, "python"))
    policy = example(SECTION, "yaml").strip()
    (project.directory / "config/brighter.yaml").write_text(CONFIG.format(policy=policy))
    run = project.snakemake("pretrain", "--configfile", "config/brighter.yaml")
    assert run.returncode == 0, run.stdout[-3000:]
    trained = Results(project.directory / "results").run("shapes", "vicreg", 0)
    policy = RunRecord.read(trained.record).spec["policy"]
    assert policy["augmentations"] == ["crop", "gamma"]
    assert policy["gamma"] == {"probability": 0.2, "exponent": [0.5, 2.0]}
    with safe_open(trained.heads, "pt") as heads:
        metadata = json.loads(heads.metadata()[WEIGHTS_METADATA])
    assert HeadsMetadata.of(metadata, str(trained.heads)).augmentations == ["crop", "gamma"]
