"""A figure is added as docs/use/extending.md describes: one file, and a configuration that names runs for it."""

from pathlib import Path

from PIL import Image
from support.extending import copied_checkout, example

CONFIG = """
name: tiny
datasets:
  shapes: {kind: shapes, train: 64, test: 32, size: 16}
seeds: [0]
pretrain:
  dataset: shapes
  encoder: {name: resnet-narrow, stem: small, widths: [8, 8, 8, 8]}
  projector: {hidden: 8, output: 8}
  optimizer: {name: adamw, lr: 1.0e-3, warmup_epochs: 0}
  epochs: 1
  batch_size: 16
  log_every: 1
runs:
  vicreg: {label: VICReg}
protocols:
  knn: {kind: knn, k: 5}
studies:
  knn: {title: Nearest neighbours, protocol: knn, tasks: [shapes], runs: [vicreg]}
"""


def test_a_figure_is_one_file(tmp_path: Path) -> None:
    project = copied_checkout(tmp_path / "copy")
    figure = project.directory / "mast/reporting/figures/schedule.py"
    figure.write_text(example("Add a figure", "python"), encoding="utf-8")
    (project.directory / "tiny.yaml").write_text(CONFIG + example("Add a figure", "yaml"), encoding="utf-8")
    run = project.snakemake("results/figures/schedule.png", "report", "--configfile", "tiny.yaml")
    assert run.returncode == 0, run.stdout[-3000:]
    results = project.directory / "results"
    with Image.open(results / "figures/schedule.png") as image:
        assert image.height > 300, "a figure without data is lower"
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "Learning rate at each logged step, a line per run: that of its first seed." in page
