"""The memory and GPUs of one machine are divided among its jobs."""

import os
import re
import subprocess

import pytest
from support.projects import Project

pytestmark = pytest.mark.slow

TWO_GPUS = {"CUDA_VISIBLE_DEVICES": "0,1"}
DATA = "results/smoke/data/digits/manifest.json"


def test_memory_and_gpus_of_the_machine_are_the_limits_unless_others_are_named(project: Project) -> None:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 10**6
    limits = _limits(project.smoke(DATA, environment=TWO_GPUS))
    assert limits["gpus"] == 2
    assert 0 < limits["mem_mb"] <= memory
    (project.directory / DATA).unlink()
    named = _limits(project.smoke(DATA, "--resources", "mem_mb=1234", "gpus=1", environment=TWO_GPUS))
    assert named == {"mem_mb": 1234, "gpus": 1}


def test_a_training_on_more_gpus_than_there_are_is_not_cut_down_unseen(project: Project) -> None:
    four = project.edited(("pretrain: {mem_mb: 1500,", "pretrain: {gpus: 4, mem_mb: 1500,"))
    plan = project.snakemake("-n", "pretrain", "--configfile", four, environment=TWO_GPUS)
    assert plan.returncode == 0, plan.stdout
    assert plan.stdout.count("gpus=4") == 8


def _limits(run: subprocess.CompletedProcess[str]) -> dict[str, int]:
    assert run.returncode == 0, run.stdout
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("Provided resources:")]
    return {name: int(amount) for name, amount in re.findall(r'"(\w+)", (\d+)', line) if not name.startswith("_")}
