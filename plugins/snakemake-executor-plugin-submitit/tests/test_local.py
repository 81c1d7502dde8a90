"""Whole workflows through submitit on this machine: local processes, the debug backend, several tasks, signals."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from snakemake_executor_plugin_submitit.backends import Local
from snakemake_executor_plugin_submitit.errors import SubmissionError
from snakemake_executor_plugin_submitit.slurm import QueuedJob

SNAKEFILE = """
rule all:
    input: "b.txt", "tasks.txt"
rule a:
    output: "a.txt"
    resources: runtime=5
    shell: "echo $$ > {output}"
rule b:
    input: "a.txt"
    output: update("b.txt")
    resources: runtime=5, gpus=1
    shell: "echo ${{CUDA_VISIBLE_DEVICES:-none}} > {output}; cat {input} > /dev/null"
rule tasks:
    output: "tasks.txt"
    resources: runtime=5, tasks=2
    shell:
        "python -m snakemake_executor_plugin_submitit.launch "
        "sh -c 'echo $RANK of $WORLD_SIZE at ${{MASTER_PORT:+a port}} >> {output}.$RANK'; "
        "sleep 1; cat {output}.* > {output}"
"""
QUICK = ["--seconds-between-status-checks", "1", "--latency-wait", "3", "--jobs", "2", "--scheduler", "greedy"]


def snakemake(directory: Path, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "snakemake", "--executor", "submitit", *QUICK, *arguments]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.Popen(
        command,
        cwd=directory,
        env={**os.environ, "PATH": path, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.mark.slow
def test_jobs_of_one_and_of_two_tasks_run_in_local_processes(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    run = snakemake(tmp_path, "--submitit-cluster", "local", environment={"CUDA_VISIBLE_DEVICES": "GPU-5,GPU-7"})
    output = run.communicate(timeout=600)[0]
    assert run.returncode == 0, output
    assert (tmp_path / "b.txt").read_text() == "GPU-5\n"
    assert (tmp_path / "tasks.txt").read_text() == "0 of 2 at a port\n1 of 2 at a port\n"
    assert not list((tmp_path / ".snakemake/submitit/open").iterdir())


@pytest.mark.slow
def test_a_job_that_fails_or_cannot_be_submitted_leaves_what_it_was_to_update(tmp_path: Path) -> None:
    failing = SNAKEFILE.replace('"b.txt", "tasks.txt"', '"b.txt", "c.txt"').replace("cat {", "false {")
    refused = 'rule c:\n    output: update("c.txt")\n    resources: gres="gpu:1", gpus=1\n    shell: "touch {output}"\n'
    (tmp_path / "Snakefile").write_text(failing + refused)
    for name in ("b.txt", "c.txt"):
        (tmp_path / name).write_text("of before\n")
    run = snakemake(tmp_path, "--submitit-cluster", "debug", "--forceall", "--keep-going")
    output = run.communicate(timeout=600)[0]
    assert run.returncode != 0
    assert (tmp_path / "a.txt").exists()
    assert "the command ended with status 1" in output
    assert "gres: 'gpu:1' and gpus: 1 are both set" in output
    assert (tmp_path / "b.txt").read_text() == "of before\n", output
    assert (tmp_path / "c.txt").read_text() == "of before\n", output
    again = snakemake(tmp_path, "--submitit-cluster", "debug", "--keep-going", "--rerun-incomplete", "--dry-run")
    output = again.communicate(timeout=600)[0]
    assert all(f"rule {rule}:" in output for rule in "bc"), "they are not taken for what the jobs were to make"


@pytest.mark.slow
def test_ctrl_c_ends_local_jobs(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(
        'rule all:\n    output: "x"\n    resources: runtime=5\n    shell: "echo $$ > begun; sleep 100"\n'
    )
    run = snakemake(tmp_path, "--submitit-cluster", "local")
    deadline = time.monotonic() + 300
    while not (tmp_path / "begun").exists() or not (tmp_path / "begun").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    shell = int((tmp_path / "begun").read_text())
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=300)
    assert run.returncode != 0
    deadline = time.monotonic() + 60
    while psutil.pid_exists(shell) and psutil.Process(shell).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
def test_a_folder_that_is_not_writable_is_named(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    run = snakemake(tmp_path, "--submitit-cluster", "local", "--submitit-folder", "/proc/here")
    output = run.communicate(timeout=300)[0]
    assert run.returncode != 0
    assert "--submitit-folder: /proc/here is not writable" in output
    assert "Traceback" not in output


def test_each_local_job_has_gpus_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same holds next to a job that an earlier main process has started."""
    (tmp_path / "gpus.json").write_text('["2"]')
    running = {
        "1": QueuedJob("RUNNING", str(tmp_path)),
        "2": QueuedJob("RUNNING", str(tmp_path / "of-another-program")),
    }
    monkeypatch.setattr(Local, "queue", lambda _: running)
    backend = Local(10, 120)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-5,7")
    assert backend._free_devices(2) == ["GPU-5", "7"]
    with pytest.raises(SubmissionError, match="gpus: 3 asked for, but 2 free; set --resources gpus to what there is"):
        backend._free_devices(3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(SubmissionError, match="gpus: 1 asked for, but 0 free"):
        backend._free_devices(1)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert backend._free_devices(3) == ["0", "1", "3"]
