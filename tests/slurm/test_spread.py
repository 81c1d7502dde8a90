"""Each kind of training on two nodes with two processes each, preempted once, gives the uninterrupted results."""

import contextlib
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml
from slurm_lab.cluster import Cluster
from slurm_lab.waiting import wait_for
from slurm_lab.workflow import Run, Workflow
from support import ROOT
from support.slurm_training import CONFIGURATION as SMALL

TWO_NODES = {"mem_mb": 2500, "runtime": 30, "nodes": 2}
CONFIGURATION = {
    "name": "spread",
    "datasets": {
        "shapes": {"kind": "shapes", "train": 64, "test": 16, "size": 16},
        "digits": {"kind": "digits", "size": 16},
        "scenes": {"kind": "shapes-scenes", "train": 8, "test": 6, "size": 48, "max_objects": 2},
    },
    "seeds": [0],
    "runs": {"mast": SMALL["runs"]["mast"] | {"epochs": 100}},
    "protocols": {
        "linear": {"kind": "linear-lbfgs", "strengths": 2, "max_iterations": 20},
        "head": {"kind": "linear-sgd", "epochs": 6, "batch_size": 64, "lr_head": 0.1},
        "semi": {"kind": "semi-10", "epochs": 14, "batch_size": 16, "norm_images": 4},
        "detection": {
            **{"kind": "detection", "steps": 40, "batch_size": 4, "warmup_steps": 5, "optimizer": "adamw", "lr": 1e-3},
            **{"fpn_channels": 16, "head_channels": 32, "min_size": 48, "max_size": 48, "proposals": 30, "rois": 16},
            **{"anchor_sizes": [8, 16, 24, 32, 48]},
        },
    },
    "studies": {
        protocol: {"title": protocol, "protocol": protocol, "tasks": [task], "runs": ["mast"]}
        for protocol, task in (("linear", "digits"), ("head", "digits"), ("semi", "digits"), ("detection", "scenes"))
    },
    "resources": {
        "prepare": {"mem_mb": 1000, "runtime": 10},
        **dict.fromkeys(("pretrain", "features", "finetune", "detection"), TWO_NODES),
    },
}
SPREAD = ("pretrain_run", "extract_features", "evaluate_images", "evaluate_scenes")
"""The rules whose jobs take two nodes."""
PREEMPTIBLE = (*SPREAD, "evaluate_features")
"""Rules that are sent to a partition of low priority: none of them preempts another."""
TRAININGS = {"pretrain": "pretrain/shapes/mast/seed0/checkpoints"} | {
    protocol: f"metrics/{protocol}/{task}/shapes/mast/seed0.checkpoints"
    for protocol, task in (("head", "digits"), ("semi", "digits"), ("detection", "scenes"))
}
"""Rule that trains → directory of its checkpoints, below the results."""
PATIENCE = 600
"""Seconds for anything to happen, on a machine where much else runs."""


@pytest.mark.cluster
def test_trainings_on_two_nodes_that_are_preempted_once_give_the_results_of_ones_left_alone(
    workflow: Callable[[str], Workflow], cluster: Cluster
) -> None:
    flow = workflow(f"include: {str(ROOT / 'workflow/Snakefile')!r}")
    (flow.directory / "config.yaml").write_text(yaml.safe_dump(CONFIGURATION))
    needs = [*(f"{rule}:tasks=4" for rule in SPREAD), *(f"{rule}:slurm_partition=preempt" for rule in PREEMPTIBLE)]
    run, results = flow.start("tables", "--configfile", "config.yaml", "--set-resources", *needs), flow.directory
    preempted: dict[str, str] = {}
    while len(preempted) < len(TRAININGS):
        name, job, processes = _training(cluster, run, preempted)
        _preempt(cluster, job, processes)
        wait_for(lambda job=job: _restarts(cluster, job) == 1, PATIENCE, f"{name} to be requeued")
        (saved,) = (results / "results" / TRAININGS[name]).rglob("step*.pt")
        assert int(saved.stem.removeprefix("step")) > 0
        preempted[name] = job
    assert run.wait(PATIENCE) == 0, run.output
    _compare(results / "results", _left_alone(results))


def _training(cluster: Cluster, run: Run, preempted: dict[str, str]) -> tuple[str, str, list[psutil.Process]]:
    """Name, job and processes of a training that is under way and has not been preempted yet."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert run.process.poll() is None, f"not preempted: {TRAININGS.keys() - preempted.keys()}\n{run.output}"
        found: dict[str, list[psutil.Process]] = {}
        for process in psutil.process_iter(["environ", "cmdline"]):
            words, environment = process.info["cmdline"] or [], process.info["environ"] or {}
            ours = environment.get("SLURM_CONF") == cluster.environment["SLURM_CONF"] and "RANK" in environment
            if ours and "mast.cli" in words[:3] and words[3] in ("pretrain", "evaluate"):
                name = words[3] if words[3] == "pretrain" else words[words.index("--protocol") + 1]
                found.setdefault(name, []).append(process)
        for name, processes in found.items():
            if name not in preempted and len(processes) == 4 and all(map(_trains, processes)):
                return name, processes[0].info["environ"]["SLURM_JOB_ID"], processes
        time.sleep(0.05)
    raise AssertionError(f"no training seen for {PATIENCE} s:\n{run.output}")


def _preempt(cluster: Cluster, job: str, processes: list[psutil.Process]) -> None:
    """Let an urgent job take the nodes. The training is held until it has been told: it cannot end before."""
    for process in processes:
        process.suspend()
    urgent = ("sbatch", "--parsable", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    cluster.command(*urgent)
    try:
        wait_for(lambda: any(map(_is_told, processes)), PATIENCE, f"a signal to job {job}")
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


def _is_told(process: psutil.Process) -> bool:
    """Whether a process that is held has got a signal to stop; SLURM lets held ones go on with it."""
    try:
        held = process.status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return True
    return not held or any(_has_signal(process, "ShdPnd", number) for number in (signal.SIGTERM, signal.SIGUSR2))


def _trains(process: psutil.Process) -> bool:
    """Whether it catches the signals that a training answers with a checkpoint."""
    return _has_signal(process, "SigCgt", signal.SIGUSR1)


def _has_signal(process: psutil.Process, field: str, number: int) -> bool:
    """Whether a signal is in a mask of a process (proc_pid_status(5)); not where the process is gone."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except FileNotFoundError:
        return False
    mask = re.search(rf"^{field}:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return mask is not None and bool(int(mask[1], 16) >> (number - 1) & 1)


def _restarts(cluster: Cluster, job: str) -> int:
    return int(re.search(r"Restarts=(\d+)", cluster.command("scontrol", "show", "job", job)).group(1))


def _left_alone(directory: Path) -> Path:
    """The same trainings in four processes without SLURM and without a stop; features in one process.

    Evaluations are those of the encoder that the workflow has trained.
    """
    alone, shared = directory / "alone", ["--config", "config.yaml", "--run", "mast", "--seed", "0", "--gpus", "0"]
    four = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=4", "--module", "--"]
    one = [sys.executable, "-m"]
    commands = [[*four, "mast.cli", "pretrain", *shared, "--output", alone / "pretrain"]]
    for protocol, study in CONFIGURATION["studies"].items():
        (task,) = study["tasks"]
        if protocol == "linear":
            commands.append([*one, "mast.cli", "features", *shared, "--task", task, "--output", alone / "features.npz"])
            continue
        named = ["--protocol", protocol, "--task", task, "--output", alone / f"{protocol}.json"]
        commands.append([*four, "mast.cli", "evaluate", *shared, *named])
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for command in commands:
        subprocess.run(command, cwd=directory, env=environment, check=True, timeout=PATIENCE)
    return alone


def _compare(results: Path, alone: Path) -> None:
    encoder = results / "pretrain/shapes/mast/seed0/encoder.safetensors"
    assert encoder.read_bytes() == (alone / "pretrain/encoder.safetensors").read_bytes()
    assert json.loads(encoder.with_name("run.json").read_text())["processes"] == 4
    with np.load(results / "features/shapes/mast/seed0/digits.npz") as shared, np.load(alone / "features.npz") as one:
        assert shared.files == one.files
        for name in (name for name in one.files if one[name].dtype == np.float32):  # of other numbers of threads
            np.testing.assert_allclose(shared[name], one[name], rtol=1e-5, atol=1e-5)
    for protocol in ("head", "semi", "detection"):
        found = next((results / "metrics" / protocol).rglob("seed0.json"))
        ours, theirs = (json.loads(file.read_text()) for file in (found, alone / f"{protocol}.json"))
        for key in ("metrics", "counts", "encoder_sha256"):
            assert ours[key] == theirs[key], (protocol, key)
        if protocol == "detection":
            predictions = found.with_name("seed0.predictions.json").read_bytes()
            assert predictions == (alone / "detection.predictions.json").read_bytes()
    for study in CONFIGURATION["studies"]:
        with (results / f"tables/{study}.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert rows and all(row["mean"] for row in rows if row["metric"] in ("top1", "AP", "AP50")), study
    assert not list(results.rglob("*checkpoints"))
