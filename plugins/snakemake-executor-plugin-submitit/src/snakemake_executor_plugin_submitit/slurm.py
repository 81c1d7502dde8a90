"""SLURM's queue, read with squeue, which works with and without accounting (slurmdbd).

squeue shows a finished job for MinJobAge (300 s by default) after its end; sacct is asked only after that.
"""

import contextlib
import re
import signal
import subprocess
import time
from collections.abc import Callable
from typing import NamedTuple

SECONDS = 60
"""Time limit of one SLURM command, seconds."""
ATTEMPTS = 5
"""Number of times that a job queries its own state, a second apart: a busy controller may refuse."""


SECONDS_TO_END = 180.0
"""Time that a cancelled job may take to end, seconds: KillWait (30 s) and UnkillableStepTimeout (60 s), with a margin.
"""
POLL_SECONDS = 0.5

NO_RESULT_EXPECTED = {"CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "DEADLINE", "REVOKED"}
ENDED = NO_RESULT_EXPECTED | {"COMPLETED", "FAILED", "NODE_FAIL", "BOOT_FAIL", "PREEMPTED"}
"""SLURM's states of jobs that will not run again. Jobs in other or unknown states are waited for."""


class QueuedJob(NamedTuple):
    """A job as the queue shows it."""

    state: str
    """Name of the state in SLURM, e.g. PENDING."""
    script: str
    """Path of the submitted script."""

    @property
    def ended(self) -> bool:
        """Return whether it will not run again."""
        return self.state in ENDED


class QueueUnavailableError(Exception):
    """SLURM's controller did not answer."""


def queue() -> dict[str, QueuedJob]:
    """Return this user's jobs by id, including recently finished ones.

    Raises:
        QueueUnavailableError: the controller did not answer.
    """
    text = _output(["squeue", "--me", "--noheader", "--states=all", "--format=%i|%T|%o"])
    rows = (line.split("|", 2) for line in text.splitlines())
    return {row[0].strip(): QueuedJob(row[1].strip(), row[2].strip()) for row in rows if len(row) == 3}


def is_preempted(job_id: str) -> bool:
    """Return whether SLURM has preempted a running job: its record then contains the time of the preemption.

    It is called inside the job while the signal is sent to all processes, so scontrol must ignore the signal. During
    this time the state is SIGNALING.
    """
    for _ in range(ATTEMPTS):
        try:
            record = _output(["scontrol", "--oneliner", "show", "job", job_id], _ignore_terminate)
            return re.search(r" JobState=(RUNNING|SIGNALING) (.* )?PreemptTime=\d", record) is not None
        except QueueUnavailableError:
            time.sleep(1)
    return False


def accounted_state(job_id: str) -> str | None:
    """Return the state that accounting has recorded for a job; None without accounting."""
    try:
        text = _output(["sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={job_id}", "--format=State"])
    except QueueUnavailableError:
        return None
    return text.split()[0] if text.split() else None


def cancel(job_ids: list[str]) -> None:
    """Request SLURM to end jobs, running or waiting. The queue shows whether they end."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(["scancel", *job_ids], capture_output=True, timeout=SECONDS, check=False)


def _ignore_terminate() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _output(command: list[str], before: Callable[[], None] | None = None) -> str:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=True, preexec_fn=before
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise QueueUnavailableError(str(getattr(error, "stderr", None) or error).strip()) from None
