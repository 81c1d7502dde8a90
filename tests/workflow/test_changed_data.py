"""Data are prepared again when their files or settings change; what depends on them runs again if their content did."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from support.projects import ENVIRONMENT, Project, planned

pytestmark = pytest.mark.slow

CONFIG = """
datasets:
  photos: {kind: folder, root: photos, size: 16}
seeds: [0]
pretrain:
  dataset: photos
  encoder: {name: resnet-narrow, stem: small, widths: [8, 8, 8, 8]}
  projector: {hidden: 8, output: 8}
  optimizer: {name: adamw, warmup_epochs: 0}
  epochs: 1
  batch_size: 4
runs:
  vicreg: {method: vicreg}
protocols:
  knn: {kind: knn, k: 2}
studies:
  knn: {title: Neighbours, protocol: knn, tasks: [photos], runs: [vicreg]}
"""
ENCODER = "results/pretrain/photos/vicreg/seed0/encoder.safetensors"
ALL = {"prepare_data", "pretrain_run", "extract_features", "evaluate_features", "table_knn", "health_of_runs", "tables"}


def photograph(project: Project, name: str) -> None:
    for split in ("train", "test"):
        folder = project.directory / "photos" / split / name
        folder.mkdir(parents=True)
        for number in range(4):
            rng = np.random.default_rng(number + len(name))
            Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(folder / f"{number}.png")


def plan(project: Project, *options: str) -> tuple[set[str], str]:
    run = project.snakemake("--dry-run", "tables", "--configfile", "c.yaml", *options)
    assert run.returncode == 0, run.stdout[-3000:]
    return set(planned(run.stdout)), run.stdout


def run(project: Project, *targets: str) -> str:
    done = project.snakemake(*targets, "--configfile", "c.yaml")
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def state(project: Project) -> dict[str, tuple[int, int]]:
    """Inode and time of every result but those of the data and of the logs."""
    root = project.directory / "results"
    files = [file for folder in ("pretrain", "features", "metrics", "tables") for file in (root / folder).rglob("*.*")]
    return {str(file): (file.stat().st_ino, file.stat().st_mtime_ns) for file in files if file.is_file()}


def test_what_runs_again_follows_the_content_of_the_data(project: Project) -> None:
    (project.directory / "c.yaml").write_text(CONFIG)
    photograph(project, "ants")
    photograph(project, "bees")
    by_hand = [sys.executable, "-m", "mast.cli", "prepare", "--config", "c.yaml", "--dataset", "photos"]
    subprocess.run(by_hand, cwd=project.directory, env=ENVIRONMENT, check=True)  # Snakemake has no record of it
    assert "prepare_data" not in plan(project)[0]
    run(project, "tables")
    before = state(project)
    assert plan(project)[0] == set()

    config = project.directory / "c.yaml"
    config.write_text(CONFIG.replace("root: photos,", "root: photos, licence: CC0,"))
    for file in (project.directory / "photos").rglob("*.png"):
        moment = file.stat().st_mtime_ns + 5_000_000_000
        os.utime(file, ns=(moment, moment))
    jobs, output = plan(project)
    assert jobs == {"prepare_data"}
    assert "datasets.photos: licence changed in the configuration, 16 files of another time; " in output
    run(project, "tables")
    assert json.loads((project.directory / "results/data/photos/manifest.json").read_text())["licence"] == "CC0"
    assert state(project) == before

    photograph(project, "cows")
    assert plan(project, "--config", "changed_data=ignore")[0] == set()
    jobs, output = plan(project)
    assert jobs == ALL
    assert "8 files added (new folder: 'train/cows', 'test/cows'); prepared again where it is needed" in output
    assert "what depends on it (runs vicreg; studies knn) runs again if its content is another" in output
    run(project, "pretrain")
    encoder = project.directory / ENCODER
    assert (encoder.stat().st_ino, encoder.stat().st_mtime_ns) != before[str(encoder)]
    assert plan(project)[0] == ALL - {"prepare_data", "pretrain_run"}
