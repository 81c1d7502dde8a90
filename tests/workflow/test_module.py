"""Another workflow uses this one as a module: it gives the configuration and takes results as inputs."""

import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest
from support.extending import copied_checkout
from support.projects import ENVIRONMENT, ONE_RUN, planned

pytestmark = pytest.mark.slow(minutes=0.7)

CONFIG = "images: 8\nmast:\n" + indent(f"results: results/mast{ONE_RUN}", "  ")

SNAKEFILE = """
configfile: "analysis.yaml"


module mast:
    snakefile:
        SOURCE
    config:
        config["mast"]


use rule * from mast as mast_*


rule count:
    default_target: True
    input:
        "results/mast/data/shapes/manifest.json",
    output:
        "count.txt",
    shell:
        "wc --lines {input} > {output}"
"""


def snakemake(where: Path, checkout: Path, source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (where / "Snakefile").write_text(SNAKEFILE.replace("SOURCE", source), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *arguments],
        cwd=where,
        env=ENVIRONMENT | {"PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_workflow_uses_rules_of_this_one(tmp_path: Path) -> None:
    checkout = copied_checkout(tmp_path / "mast checkout").checkout
    where = tmp_path / "analysis"
    where.mkdir()
    (where / "analysis.yaml").write_text(CONFIG, encoding="utf-8")
    local = repr(str(checkout / "workflow/Snakefile"))

    run = snakemake(where, checkout, local)
    assert run.returncode == 0, run.stdout[-3000:]
    assert (where / "count.txt").exists()

    plan = planned(snakemake(where, checkout, local, "--dry-run", "mast_all").stdout)
    assert plan.keys() >= {"mast_pretrain_run", "mast_health_of_runs", "mast_all"} and "mast_prepare_data" not in plan

    (where / "analysis.yaml").write_text(CONFIG.replace("epochs: 1", "epoch: 1"), encoding="utf-8")
    run = snakemake(where, checkout, local, "--dry-run")
    assert run.returncode != 0 and "Traceback" not in run.stdout
    assert "config of the module mast: runs.mine: unknown key 'epoch'" in run.stdout


def test_the_workflow_may_come_out_of_a_repository(tmp_path: Path) -> None:
    checkout = copied_checkout(tmp_path / "mast").checkout
    author = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    for command in (("init", "-q"), ("add", "."), (*author, "commit", "-qm", "All"), ("tag", "v1")):
        subprocess.run(["git", *command], cwd=checkout, check=True)
    where = tmp_path / "analysis"
    where.mkdir()
    (where / "analysis.yaml").write_text(CONFIG, encoding="utf-8")
    source = f"gitfile({str(checkout)!r}, path='workflow/Snakefile', tag='v1')"
    run = snakemake(where, checkout, source, "--dry-run", "mast_all")
    assert run.returncode == 0, run.stdout[-3000:]
    assert planned(run.stdout).keys() >= {"mast_prepare_data", "mast_pretrain_run", "mast_make_report"}
