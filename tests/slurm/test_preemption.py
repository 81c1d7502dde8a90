"""Pretraining that is stopped and preempted ends with the encoder of an uninterrupted run."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import yaml
from slurm_lab.cluster import Cluster
from slurm_lab.waiting import wait_for
from slurm_lab.workflow import Workflow
from support import ROOT
from support.slurm_training import CONFIGURATION, left_alone

RUN = Path("results/pretrain/shapes/mast/seed0")


def test_a_run_that_is_stopped_twice_ends_with_the_same_encoder(
    workflow: Callable[[str], Workflow], cluster: Cluster
) -> None:
    flow = workflow(f"include: {str(ROOT / 'workflow/Snakefile')!r}")
    (flow.directory / "config.yaml").write_text(yaml.safe_dump(CONFIGURATION))
    run = flow.start(
        "pretrain", "--configfile", "config.yaml", "--set-resources", "pretrain_run:slurm_partition=preempt"
    )
    output = flow.directory / RUN

    wait_for(lambda: _steps(output) > 20 or run.process.poll() is not None, 180, "20 steps of training")
    assert run.process.poll() is None, run.output
    (job,) = cluster.wait_until_running()
    cluster.command("scancel", "--signal=USR2", job)
    wait_for(lambda: _restarts(cluster, job) == 1, 180, "the job to be requeued after USR2")
    first = _saved_step(output)
    assert first > 20

    wait_for(lambda: _steps(output) > first + 20, 180, "20 more steps")
    urgent = cluster.command("sbatch", "--parsable", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    wait_for(lambda: _restarts(cluster, job) == 2, 180, "the job to be requeued for an urgent one")
    second = _saved_step(output)
    assert second > first + 20

    assert run.wait() == 0, run.output
    assert cluster.jobs()[urgent.strip()] == "COMPLETED"
    assert cluster.jobs()[job] == "COMPLETED"
    assert [json.loads(line)["step"] for line in _lines(output)] == list(range(1, 321))
    assert not (output / "checkpoints").exists()
    alone = left_alone(flow.directory)
    for name in ("encoder.safetensors", "heads.safetensors"):
        assert (output / name).read_bytes() == (alone / name).read_bytes()


def _restarts(cluster: Cluster, job: str) -> int:
    return int(re.search(r"Restarts=(\d+)", cluster.command("scontrol", "show", "job", job)).group(1))


def _lines(output: Path) -> list[str]:
    curves = output / "metrics.jsonl"
    return curves.read_text().splitlines() if curves.exists() else []


def _steps(output: Path) -> int:
    return len(_lines(output))


def _saved_step(output: Path) -> int:
    return max(int(path.stem.removeprefix("step")) for path in (output / "checkpoints").glob("step*.pt"))
