"""One new file in a copy of the package, and a run of it in a configuration, add a method."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.extending import copied_checkout, example

from mast.augment.pairing import COMPOSED, draw_pair
from mast.augment.views import View
from mast.config.pretrain import PretrainSpec
from mast.distributed import ALONE
from mast.learner import Learner
from mast.results import Results
from mast.settings import parse

SECTION = "Add a method"
CONFIG = """
name: mine
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
protocols:
  knn: {kind: knn, k: 5}
studies:
  knn:
    {title: kNN, protocol: knn, tasks: [shapes], runs: [vicreg, align-uniform], settings: [align_uniform.weight]}
"""


def test_a_new_method_is_trained_and_stands_in_the_table(tmp_path: Path) -> None:
    project = copied_checkout(tmp_path / "copy")
    (project.directory / "mast/methods/align_uniform.py").write_text(example(SECTION, "python"), encoding="utf-8")
    (project.directory / "mine.yaml").write_text(CONFIG + example(SECTION, "yaml"), encoding="utf-8")
    run = project.snakemake("results/tables/knn.md", "--configfile", "mine.yaml")
    assert run.returncode == 0, run.stdout[-3000:]
    results = Results(project.directory / "results")
    lines = [json.loads(line) for line in results.run("shapes", "align-uniform", 0).log.read_text().splitlines()]
    for line in lines:
        assert line["loss"] == pytest.approx(line["alignment"] + 0.5 * line["uniformity"], rel=1e-4)
    table = (project.directory / "results/tables/knn.md").read_text(encoding="utf-8")
    assert "| Alignment and uniformity | 0.5 |" in table
    specs = [
        json.loads(results.run("shapes", run, 0).record.read_text())["spec"] for run in ("vicreg", "align-uniform")
    ]
    assert "align_uniform" not in specs[0] and specs[1]["align_uniform"] == {"weight": 0.5, "t": 2.0}
    assert "objective" not in specs[1], "a section that the method does not read"


def test_the_pages_loss_is_alignment_and_uniformity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The oracle is the formula written out in float64, pair by pair."""
    (tmp_path / "align_uniform_example.py").write_text(example(SECTION, "python"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import align_uniform_example

    values = {"dataset": "x", "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 8, 8, 8]}}
    spec = parse(PretrainSpec, values | {"projector": {"hidden": 8, "output": 6}}, "test")
    own = align_uniform_example.AlignUniformSpec(weight=0.7, t=3)
    object.__setattr__(spec, "__dict__", spec.__dict__ | {"align_uniform": own})
    torch.manual_seed(0)
    learner = Learner(align_uniform_example.AlignUniform(spec), 16, [0.5] * 3, [0.25] * 3, [], ALONE).train()
    images = torch.randint(0, 256, (12, 3, 16, 16), dtype=torch.uint8)
    outcome = learner(images, None, learner.draw(12, torch.Generator().manual_seed(1)))
    pair = draw_pair(learner.policy, COMPOSED, 12, torch.Generator().manual_seed(1))
    views = [learner.embed(View(images.float() / 255, view))[1].double().detach().numpy() for view in (pair.a, pair.b)]
    a, b = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in views)
    expected = np.mean([((x - y) ** 2).sum() for x, y in zip(a, b, strict=True)])
    for z in (a, b):
        kernels = [np.exp(-3 * ((x - y) ** 2).sum()) for x, y in itertools.combinations(z, 2)]
        expected += 0.7 * np.log(np.mean(kernels)) / 2
    assert outcome.loss.item() == pytest.approx(expected, rel=1e-4)


def test_a_file_without_a_method_is_named(tmp_path: Path) -> None:
    project = copied_checkout(tmp_path / "copy")
    (project.directory / "mast/methods/empty.py").write_text('"""Nothing."""\n', encoding="utf-8")
    run = project.snakemake("--dry-run", "all")
    assert run.returncode != 0
    assert "empty.py: defines 0 subclasses of mast.methods.Method; define exactly one" in run.stdout
    assert "Traceback" not in run.stdout
