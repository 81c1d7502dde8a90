"""Data and a run are a whole configuration; one read-only checkout serves any working directory."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.extending import copied_checkout
from support.projects import ENVIRONMENT, ONE_RUN, planned

pytestmark = pytest.mark.slow


def snakemake(checkout: Path, where: Path, *arguments: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments, "--cores", "1", "--snakefile", "../a checkout/Snakefile"],
        cwd=where,
        env=ENVIRONMENT | {"PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    return run.stdout


def listing(folder: Path) -> set[Path]:
    return {file for file in folder.rglob("*") if "__pycache__" not in file.parts}


def test_a_checkout_elsewhere_pretrains_in_any_working_directory(tmp_path: Path) -> None:
    checkout = copied_checkout(tmp_path / "a checkout").checkout
    (tmp_path / "configurations").mkdir()
    (tmp_path / "configurations/base.yaml").write_text(ONE_RUN)
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    before = listing(checkout)
    base = ("--configfile", "../configurations/base.yaml")

    snakemake(checkout, tmp_path / "here", "all", "--directory", "../there", *base)
    made = {str(file.relative_to(tmp_path / "there/results")) for file in listing(tmp_path / "there/results")}
    run = "pretrain/shapes/mine/seed0"
    assert made >= {
        f"{run}/encoder.safetensors",
        f"{run}/run.json",
        "health.csv",
        "figures/losses.svg",
        "index.html",
        "report.html",
    }

    plan = planned(snakemake(checkout, tmp_path / "there", "--dry-run", "all", *base))
    assert plan.keys() == set(), "the same results, from the directory itself"
    plan = planned(snakemake(checkout, tmp_path / "here", "--dry-run", "tables"))
    assert plan.keys() >= {"prepare_data", "table_linear"}, "the configuration of the checkout where there is no other"
    assert listing(checkout) == before
    assert {file.name for file in (tmp_path / "here").iterdir()} == {".snakemake"}
