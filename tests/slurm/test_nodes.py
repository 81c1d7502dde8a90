"""One training run works on two nodes with two tasks each."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml
from slurm_lab.cluster import Cluster
from slurm_lab.waiting import on_this_machine, wait_for
from slurm_lab.workflow import Run, Workflow
from support import ROOT
from support.slurm_training import CONFIGURATION, left_alone

OUTPUT = Path("results/pretrain/shapes/mast/seed0")
MakeWorkflow = Callable[[str], Workflow]


def test_four_ranks_on_two_nodes_train_like_one_process(workflow: MakeWorkflow, cluster: Cluster) -> None:
    flow, run = _start(workflow, epochs=5)
    assert run.wait() == 0, run.output
    (folder,) = (flow.directory / ".snakemake/submitit").glob("pretrain_run-*")
    logs = [next(folder.glob(f"*_{rank}_log.out")).read_text() for rank in range(4)]
    for rank, log in enumerate(logs):
        assert f"local_rank={rank % 2}(2), node={rank // 2}(2), global_rank={rank}(4)" in log
    assert json.loads((flow.directory / OUTPUT / "run.json").read_text())["processes"] == 4
    one = left_alone(flow.directory)
    assert _losses(flow.directory / OUTPUT) == pytest.approx(_losses(one), rel=1e-3)


def test_a_rank_that_dies_fails_the_job_in_seconds(workflow: MakeWorkflow, cluster: Cluster) -> None:
    flow, run = _start(workflow, epochs=100000)
    wait_for(lambda: _losses(flow.directory / OUTPUT) or run.process.poll() is not None, 180, "the first step")
    assert run.process.poll() is None, run.output
    (job,) = cluster.wait_until_running()
    (last,) = [
        process for process in psutil.process_iter(["environ", "cmdline"]) if _is_training(process, job, rank="3")
    ]
    last.kill()
    killed = time.monotonic()
    wait_for(lambda: cluster.jobs()[job] == "FAILED", on_this_machine(20), "the job to fail")
    assert run.wait() != 0
    assert time.monotonic() - killed < on_this_machine(30)
    assert f"Job {job}: RuntimeError: the command ended with status" in run.output


def _start(workflow: MakeWorkflow, epochs: int) -> tuple[Workflow, Run]:
    flow = workflow(f"include: {str(ROOT / 'workflow/Snakefile')!r}")
    run = CONFIGURATION["runs"]["mast"] | {"epochs": epochs}
    resources = CONFIGURATION["resources"] | {"pretrain": {"mem_mb": 2000, "runtime": 20, "nodes": 2}}
    configuration = CONFIGURATION | {"runs": {"mast": run}, "resources": resources}
    (flow.directory / "config.yaml").write_text(yaml.safe_dump(configuration))
    return flow, flow.start("pretrain", "--configfile", "config.yaml", "--set-resources", "pretrain_run:tasks=4")


def _is_training(process: psutil.Process, job: str, rank: str) -> bool:
    environment, command = process.info["environ"] or {}, process.info["cmdline"] or []
    words = (environment.get("SLURM_JOB_ID"), environment.get("RANK"))
    return words == (job, rank) and "pretrain" in command and "mast.cli" in command[:3]


def _losses(output: Path) -> list[float]:
    curves = output / "metrics.jsonl"
    return [json.loads(line)["loss"] for line in curves.read_text().splitlines()] if curves.exists() else []
