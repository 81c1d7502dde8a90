"""Copies of this checkout to which a test adds what docs/extending.md shows."""

import re
import shutil
import textwrap
from pathlib import Path

import yaml

from support import ROOT
from support.projects import Project

PARTS = ("mast", "workflow", "profiles", "config", "Snakefile")

SMALL = """
name: extended
results: results
datasets:
  shapes: {kind: shapes, train: 64, test: 32, size: 16}
pretrain:
  dataset: shapes
  encoder: {name: resnet-narrow, stem: small, widths: [8, 8, 8, 8]}
  projector: {hidden: 8, output: 8, layers: 2}
  optimizer: {name: adamw, lr: 0.001, warmup_epochs: 0}
  epochs: 1
  batch_size: 16
  log_every: 1
seeds: [0]
runs:
  vicreg: {method: vicreg}
protocols:
  knn: {kind: knn, k: 2}
studies:
  knn: {title: Nearest neighbours, protocol: knn, tasks: [shapes], runs: [vicreg]}
"""
"""The smallest configuration with a run and a study; a test changes what it is about."""


def copy_of_checkout(directory: Path) -> Path:
    """What a workflow runs with, copied to a new directory."""
    directory.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, directory / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, directory)
    return directory


def shown(section: str, language: str) -> list[str]:
    """The blocks of code in a language below a heading of docs/extending.md, in order."""
    page = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    [text] = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", page, flags=re.MULTILINE | re.DOTALL)
    blocks = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", text, flags=re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(code) for _, code in blocks]


def small(**changes: object) -> dict[str, object]:
    """The small configuration with these sections in place of its own."""
    return yaml.safe_load(SMALL) | changes


def extended(directory: Path, configuration: dict[str, object], files: dict[str, str]) -> Project:
    """A copy of the checkout with additional files (path → content) and a configuration, `config/extended.yaml`."""
    root = copy_of_checkout(directory)
    for name, content in {**files, "config/extended.yaml": yaml.safe_dump(configuration)}.items():
        assert not (root / name).exists(), f"{name} would be replaced, not added"
        (root / name).write_text(content, encoding="utf-8")
    return Project(root, root)
