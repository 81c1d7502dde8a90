"""Snakemake's own linter reports only that rules name no conda environment: jobs use that of Snakemake."""

import re
import subprocess
import sys

import pytest
from support import ROOT
from support.projects import ENVIRONMENT

pytestmark = pytest.mark.slow


def test_workflow_is_clean() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"],
        cwd=ROOT,
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert "Lints for rule pretrain_run" in run.stdout, run.stdout[-3000:]
    assert set(re.findall(r"^ {4}\* (.*)$", run.stdout, flags=re.MULTILINE)) == {
        "Specify a conda environment or container for each rule.:"
    }
