"""Small finished results, made by the real commands."""

from pathlib import Path

import pytest

from mast.cli import main

CONFIG = """
name: small
results: {results}
datasets:
  shapes: {{kind: shapes, train: 64, test: 32, size: 16}}
  scenes: {{kind: shapes-scenes, train: 4, test: 2, size: 48}}
pretrain:
  dataset: shapes
  encoder: {{name: resnet-narrow, stem: small, widths: [8, 12, 16, 20]}}
  projector: {{hidden: 12, output: 8}}
  optimizer: {{name: adamw, lr: 1.0e-3}}
  epochs: 1
  batch_size: 32
runs:
  first: {{method: mast}}
  other: {{method: untrained}}
seeds: [0]
protocols:
  knn: {{kind: knn, k: 3}}
  boxes:
    kind: detection
    epochs: 1
    batch_size: 2
    lr: 1.0e-3
    optimizer: adamw
    fpn_channels: 16
    head_channels: 16
    min_size: 48
    max_size: 48
    anchor_sizes: [8, 16, 24, 32, 48]
    proposals: 10
    rois: 8
studies:
  knn: {{title: Neighbours, protocol: knn, tasks: [shapes], runs: [first, other]}}
  boxes: {{title: Boxes, protocol: boxes, tasks: [scenes], runs: [first]}}
"""
COMMANDS = """
prepare --dataset shapes
prepare --dataset scenes
pretrain --run first --seed 0 --gpus 0
pretrain --run other --seed 0 --gpus 0
features --run first --seed 0 --task shapes --gpus 0
features --run other --seed 0 --task shapes --gpus 0
evaluate --protocol knn --run first --seed 0 --task shapes
evaluate --protocol knn --run other --seed 0 --task shapes
evaluate --protocol boxes --run first --seed 0 --task scenes --gpus 0
analyze --run first --seed 0 --gpus 0
table --study knn
export --run first --seed 0
"""


@pytest.fixture(scope="session")
def finished_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with every kind of file. Tests leave them as they are."""
    folder = tmp_path_factory.mktemp("reliability")
    results, config = folder / "results", folder / "config.yaml"
    config.write_text(CONFIG.format(results=results), encoding="utf-8")
    for command in COMMANDS.strip().splitlines():
        name, *options = command.split()
        assert main([name, "--config", str(config), *options]) == 0, command
    return results
