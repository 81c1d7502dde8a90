"""The judgement of a job by its place in the queue and its results, and the record that outlives the main process."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from snakemake_executor_plugin_submitit import slurm
from snakemake_executor_plugin_submitit.outcome import Outcome, last_word, outcome
from snakemake_executor_plugin_submitit.slurm import QueuedJob
from snakemake_executor_plugin_submitit.submission import Registry, Submission

SUCCESS, ERROR = ("success", None), ("error", "Traceback …\nRuntimeError: status 1\n")


def submission(folder: Path, *results: tuple[str, object], tasks: int = 1) -> Submission:
    for rank, result in enumerate(results):
        (folder / f"5_{rank}_result.pkl").write_bytes(pickle.dumps(result))
    return Submission(str(folder), tasks, {"/out": "work"}, job_id="5")


def queued(folder: Path, state: str) -> QueuedJob:
    return QueuedJob(state, f"{folder}/submission_file_1.sh")


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "COMPLETING", "REQUEUED", "SUSPENDED", "STATE_OF_THE_FUTURE"])
def test_the_queue_wins_over_a_result_that_a_requeued_job_left(tmp_path: Path, state: str) -> None:
    assert outcome(submission(tmp_path, ERROR), queued(tmp_path, state)).kind == "active"


@pytest.mark.parametrize("state", ["COMPLETED", None])
def test_a_result_of_every_task_is_a_success(tmp_path: Path, state: str | None) -> None:
    place = queued(tmp_path, state) if state else None
    assert outcome(submission(tmp_path, SUCCESS, SUCCESS, tasks=2), place).kind == "succeeded"
    assert outcome(submission(tmp_path, SUCCESS, SUCCESS, tasks=3), place).kind == "unclear"


def test_an_error_of_any_task_is_a_failure(tmp_path: Path) -> None:
    verdict = outcome(submission(tmp_path, SUCCESS, ERROR, tasks=2), queued(tmp_path, "FAILED"))
    assert verdict == ("failed", "RuntimeError: status 1")


@pytest.mark.parametrize("state", ["CANCELLED", "TIMEOUT", "OUT_OF_MEMORY"])
def test_slurm_ended_the_job(tmp_path: Path, state: str) -> None:
    assert outcome(submission(tmp_path), queued(tmp_path, state)) == ("failed", f"SLURM ended the job: {state}")


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "NODE_FAIL", "PREEMPTED"])
def test_an_end_without_a_result_is_looked_at_twice(tmp_path: Path, state: str) -> None:
    assert outcome(submission(tmp_path), queued(tmp_path, state)).kind == "unclear"


def test_accounting_has_the_last_word(tmp_path: Path) -> None:
    lost, unclear, failed = submission(tmp_path), Outcome("unclear", "no result"), Outcome("failed", "status 1")
    for verdict in (unclear, failed):
        assert last_word(verdict, lost, "CANCELLED") == ("failed", "SLURM ended the job: CANCELLED")
    assert last_word(failed, lost, "FAILED") == failed
    assert last_word(unclear, lost, "FAILED").reason.startswith("no result, by accounting FAILED; no log")
    assert last_word(unclear, lost, None).reason == f"no result; no log either: do all nodes see {tmp_path}?"
    (tmp_path / "5_0_log.out").touch()
    assert last_word(unclear, lost, None).reason == "no result"


def test_a_job_of_another_cluster_with_the_same_id_is_a_stranger(tmp_path: Path) -> None:
    assert outcome(submission(tmp_path), queued(tmp_path / "other", "RUNNING")).kind == "unclear"


def test_the_registry_outlives_the_process(tmp_path: Path) -> None:
    first = Submission("/jobs/train-1", 4, {"/model.pt": "work"}, ["model.pt"])
    registry = Registry(tmp_path / "open")
    registry.add(first)
    first.job_id = "7"
    registry.add(first)
    ((read,), unreadable) = Registry(tmp_path / "open").load()
    assert (read.folder, read.tasks, read.works, read.earlier) == ("/jobs/train-1", 4, first.works, ["model.pt"])
    assert read.job_id == "7"
    assert read.submitted == (tmp_path / "open/train-1.json").stat().st_mtime
    assert not unreadable
    registry.remove(first)
    assert registry.load() == ([], [])


@pytest.mark.parametrize("text", ["", "{", '{"job_id": "7", "folder": "/f", "tasks": 1, "submitted": 2.5}'])
def test_a_record_that_is_damaged_or_of_another_version_is_told_apart(tmp_path: Path, text: str) -> None:
    registry = Registry(tmp_path)
    (tmp_path / "train-1.json").write_text(text)
    assert registry.load() == ([], [tmp_path / "train-1.json"])


def test_a_result_that_cannot_be_read_counts_as_none(tmp_path: Path) -> None:
    ended = submission(tmp_path, SUCCESS)
    assert ended.main_task_succeeded
    (tmp_path / "5_0_result.pkl").write_bytes(b"\x80\x05half")
    assert not ended.main_task_succeeded
    assert outcome(ended, None).kind == "unclear"


@pytest.mark.parametrize(
    ("state", "time", "preempted"),
    [
        ("RUNNING", "PreemptTime=2026-01-01T00:00:00", True),
        ("SIGNALING", "PreemptTime=2026-01-01T00:00:00", True),
        ("RUNNING", "PreemptTime=None", False),
        ("SIGNALING", "PreemptTime=None", False),
        ("RUNNING", "PreemptEligibleTime=2026-01-01T00:00:00", False),
        ("COMPLETING", "PreemptTime=2026-01-01T00:00:00", False),
    ],
)
def test_preemption_is_read_from_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, time: str, preempted: bool
) -> None:
    _command(tmp_path, monkeypatch, "scontrol", f"echo JobId=1 JobState={state} {time} Requeue=1")
    assert slurm.is_preempted("1") is preempted


def test_a_job_asks_a_busy_controller_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm.time, "sleep", lambda _: None)
    busy = "if [ -e asked ]; then echo JobId=1 JobState=RUNNING PreemptTime=2026-01-01; else touch asked; exit 1; fi"
    _command(tmp_path, monkeypatch, "scontrol", busy.replace("asked", str(tmp_path / "asked")))
    assert slurm.is_preempted("1")


def test_a_silent_controller_and_missing_accounting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _command(
        tmp_path, monkeypatch, "squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1"
    )
    _command(tmp_path, monkeypatch, "sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    with pytest.raises(slurm.QueueUnavailableError, match="Unable to contact slurm controller"):
        slurm.queue()
    assert slurm.accounted_state("1") is None


def test_with_accounting_the_last_state_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _command(tmp_path, monkeypatch, "sacct", "echo 'CANCELLED by 0'")
    assert slurm.accounted_state("1") == "CANCELLED"


def test_the_launcher_runs_the_command_where_there_is_one_task() -> None:
    command = [
        sys.executable,
        "-m",
        "snakemake_executor_plugin_submitit.launch",
        "sh",
        "-c",
        "echo ${RANK:-none}; exit 3",
    ]
    environment = {key: value for key, value in os.environ.items() if key != "RANK"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.stdout, done.returncode) == ("none\n", 3)


def _command(directory: Path, monkeypatch: pytest.MonkeyPatch, name: str, line: str) -> None:
    program = directory / name
    program.write_text(f"#!/bin/bash\n{line}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
