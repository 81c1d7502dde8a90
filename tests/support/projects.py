"""Run Snakemake in a separate directory, and read its plans."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from support import ROOT

ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

ONE_RUN = """
datasets: {shapes: {kind: shapes, train: 8, test: 4, size: 16}}
runs:
  mine:
    method: vicreg
    dataset: shapes
    seeds: [0]
    encoder: {name: resnet-narrow, stem: small, widths: [8, 8, 8, 8]}
    projector: {hidden: 8, output: 8}
    epochs: 1
    batch_size: 4
    log_every: 1
"""
"""The smallest whole configuration: data, and a run of two steps."""


@dataclass(frozen=True)
class Project:
    """A directory with a configuration, in which the workflow of a checkout runs with its package."""

    directory: Path
    checkout: Path = ROOT

    def snakemake(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run Snakemake with the default profile; standard error is part of the output."""
        snakefile, profile = str(self.checkout / "workflow/Snakefile"), str(self.checkout / "profiles/default")
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--snakefile", snakefile, "--profile", profile, *arguments],
            cwd=self.directory,
            env=ENVIRONMENT | {"PYTHONPATH": str(self.checkout)} | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def smoke(self, *arguments: str, **options: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """The same with the smoke configuration."""
        return self.snakemake(*arguments, "--configfile", "config/smoke.yaml", **options)

    def edited(self, *changes: tuple[str, str]) -> str:
        """The name of a copy of the smoke configuration in which each text is replaced by another."""
        text = (self.directory / "config/smoke.yaml").read_text(encoding="utf-8")
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (self.directory / "config/edited.yaml").write_text(text, encoding="utf-8")
        return "config/edited.yaml"

    def files(self) -> dict[str, bytes]:
        """Content of every result, by path."""
        results = self.directory / "results/smoke"
        return {str(file.relative_to(results)): file.read_bytes() for file in results.rglob("*") if file.is_file()}


def new_project(directory: Path) -> Project:
    directory.mkdir()
    shutil.copytree(ROOT / "config", directory / "config")
    return Project(directory)


def planned(output: str) -> dict[str, list[dict[str, str]]]:
    """The wildcards of each planned job of a dry run, by rule."""
    jobs: dict[str, list[dict[str, str]]] = {}
    for block in re.split(r"\n(?=(?:local)?(?:rule|checkpoint) )", output)[1:]:
        rule = re.match(r"(?:local)?(?:rule|checkpoint) (\S+):", block).group(1)
        found = re.search(r"^    wildcards: (.*)$", block, flags=re.MULTILINE)
        wildcards = dict(pair.split("=") for pair in found.group(1).split(", ")) if found else {}
        jobs.setdefault(rule, []).append(wildcards)
    return jobs
