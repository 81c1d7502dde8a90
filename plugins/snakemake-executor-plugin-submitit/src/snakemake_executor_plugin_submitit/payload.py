"""Code that runs inside a job: Snakemake on the first task, the same rule's command on the others, and signals.

SLURM sends SIGUSR2 before the time limit and, on many clusters, SIGTERM or SIGUSR2 before a preemption. Both are passed
on as SIGTERM to everything the job started, so that it can save its state. Then the job is requeued.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import psutil
from submitit.core.job_environment import JobEnvironment
from submitit.core.utils import DelayedSubmission

from snakemake_executor_plugin_submitit.slurm import is_preempted
from snakemake_executor_plugin_submitit.updates import put_back

LAUNCH_FILE = "SNAKEMAKE_SUBMITIT_LAUNCH"
"""Variable with the path where the first task's launcher writes the command for the other tasks."""

WAKE_SECONDS = 0.2


class Payload:
    """The callable that submitit pickles and runs once in every task of the job."""

    def __init__(
        self, command: str, directory: str, seconds_to_save: float, copies: dict[str, str] | None = None
    ) -> None:
        """Keep the shell `command` to run in `directory`. After a signal it gets `seconds_to_save` before it is killed.

        Args:
            command: shell command of the first task.
            directory: Snakemake's working directory.
            seconds_to_save: seconds between a signal and the kill.
            copies: copies of files that a killed job did not put back (`updates.backups`).
        """
        self.command, self.directory, self.seconds_to_save = command, directory, seconds_to_save
        self.copies = copies or {}
        self.environment: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def __call__(self) -> None:
        """Run this task's part of the job.

        Raises:
            RuntimeError: a command ended with a status other than 0.
        """
        task = JobEnvironment()
        self._hand_on_signals(task)
        if task.global_rank == 0:
            self._begin(task.paths.folder / "begun")
        launch = task.paths.folder / f"launch-{os.environ.get('SLURM_RESTART_COUNT', '0')}.json"
        if task.num_tasks == 1:
            self.run_alone()
        elif task.global_rank == 0:
            try:
                self._run(["bash", "-c", self.command], {LAUNCH_FILE: str(launch), **ranks(task)})
            finally:
                launch.with_suffix(".ended").touch()
        else:
            self._follow(launch, task)

    def _begin(self, mark: Path) -> None:
        """At a second start, after a requeue, put back what the first one may have left half done."""
        if mark.exists():
            put_back(self.copies)
        mark.touch()

    def run_alone(self) -> None:
        """Run the whole job here, in a process that handles its own signals.

        Raises:
            RuntimeError: the command ended with a status other than 0.
        """
        self._run(["bash", "-c", self.command], {})

    def checkpoint(self) -> DelayedSubmission:
        """End the commands; submitit calls this on SIGUSR2, and then queues the same payload again."""
        self._stopping = True
        self._end(self.seconds_to_save)
        again = Payload(self.command, self.directory, self.seconds_to_save, self.copies)
        again.environment = self.environment
        return DelayedSubmission(again)

    def _run(self, command: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=self.directory,
            env=os.environ | self.environment | environment,
            stdin=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=_ignore_user_signal,
        )
        try:
            status = self._process.wait()
        finally:
            self._end(0.5)
        while self._stopping:  # a failure now would end the other tasks before they have saved
            time.sleep(WAKE_SECONDS)
        if status:
            raise RuntimeError(f"the command ended with status {status}; its output is above, or in the rule's log")

    def _follow(self, launch: Path, task: JobEnvironment) -> None:
        """Wait for the first task's launcher, then run the same command under this task's rank."""
        while launch not in (files := set(launch.parent.iterdir())):  # listing refreshes a network file system's cache
            if launch.with_suffix(".ended") in files:
                return
            time.sleep(WAKE_SECONDS)
        launched = json.loads(launch.read_text(encoding="utf-8"))
        self.directory = launched["directory"]
        self._run(launched["command"], launched["rendezvous"] | ranks(task))

    def _hand_on_signals(self, task: JobEnvironment) -> None:
        requeue: Callable[[int, FrameType | None], None] = signal.getsignal(signal.SIGUSR2)

        def stop(number: int, frame: FrameType | None) -> None:
            if task.global_rank:
                self._stopping = True
                self._end(self.seconds_to_save)
            else:
                requeue(number, frame)

        def terminate(number: int, frame: FrameType | None) -> None:
            if task.name() == "slurm" and is_preempted(task.raw_job_id):
                stop(number, frame)
            else:
                self._end(self.seconds_to_save)

        signal.signal(signal.SIGUSR2, stop)
        signal.signal(signal.SIGTERM, terminate)

    def _end(self, seconds: float) -> None:
        """Send SIGTERM to all started processes, and SIGKILL to those that are left after `seconds`.

        A signal handler cannot wait for a process, so the process table is read instead.
        """
        if self._process is None:
            return
        group, deadline = self._process.pid, time.monotonic() + seconds
        _signal_group(group, signal.SIGTERM)
        while _alive(group):
            if time.monotonic() > deadline:
                _signal_group(group, signal.SIGKILL)
                return
            time.sleep(0.05)


def ranks(task: JobEnvironment) -> dict[str, str]:
    """Return RANK, WORLD_SIZE and LOCAL_RANK of a task, as torch.distributed reads them."""
    return {"RANK": str(task.global_rank), "WORLD_SIZE": str(task.num_tasks), "LOCAL_RANK": str(task.local_rank)}


def _ignore_user_signal() -> None:
    """Ignore SIGUSR2, which reaches every process of a job and would kill those that do not expect it."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _alive(group: int) -> bool:
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return True
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return False
