"""Places where jobs run: submitit's executors, and how to list and end what they started."""

import itertools
import json
import os
import pickle
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import psutil
import submitit

from snakemake_executor_plugin_submitit import slurm
from snakemake_executor_plugin_submitit.errors import SubmissionError
from snakemake_executor_plugin_submitit.payload import Payload
from snakemake_executor_plugin_submitit.resources import request
from snakemake_executor_plugin_submitit.slurm import QueuedJob
from snakemake_executor_plugin_submitit.submission import Submission

PAUSES = (5, 20)
"""Pauses in seconds before a submission that the controller did not answer is tried again."""
UNANSWERED = ("timed out", "Unable to contact", "Zero Bytes", "temporarily unavailable", "authentication")
"""Parts of messages of an overloaded controller; messages about bad requests do not contain them."""
SLURM_COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "srun")
DEVICES_FILE = "gpus.json"
"""File in the folder of a local job with the GPUs that it uses."""


class UnansweredError(SubmissionError):
    """The controller was too busy to answer; it may or may not have taken the job."""


class Backend(Protocol):
    """What the executor needs of a place where jobs run."""

    def submit(self, payload: Payload, folder: Path, parameters: dict[str, Any], resources: Mapping[str, Any]) -> str:
        """Start a job and return its id. Raises SubmissionError."""

    def queue(self) -> dict[str, QueuedJob]:
        """Return jobs by id, each with a script whose path gives its folder. Raises QueueUnavailableError."""

    def cancel(self, submissions: list[Submission]) -> None:
        """End jobs."""

    def last_state(self, job_id: str) -> str | None:
        """Return the state of a job that has left the queue, if it is still known."""


class Slurm:
    """sbatch, through submitit."""

    def __init__(self, requeues: int, signal_delay: int) -> None:
        """Check the commands; for the settings see ExecutorSettings.

        Raises:
            SubmissionError: SLURM's commands are missing.
        """
        self.requeues, self.signal_delay = requeues, signal_delay
        missing = [command for command in SLURM_COMMANDS if shutil.which(command) is None]
        if missing:
            raise SubmissionError(
                f"{missing[0]}: no such command; start Snakemake where SLURM's commands are on the PATH, "
                "or set --submitit-cluster local"
            )

    def submit(self, payload: Payload, folder: Path, parameters: dict[str, Any], resources: Mapping[str, Any]) -> str:
        """Submit a job that SLURM may requeue; try again if the controller is overloaded."""
        executor = submitit.AutoExecutor(folder, cluster="slurm", slurm_max_num_timeout=self.requeues)
        additional = {"requeue": True, **parameters.get("slurm_additional_parameters", {})}
        delay = _delay(self.signal_delay, parameters)
        chosen = {**parameters, "slurm_signal_delay_s": delay, "slurm_additional_parameters": additional}
        executor.update_parameters(**chosen)
        for pause in PAUSES:
            try:
                return _sbatch(executor, payload, resources)
            except UnansweredError:
                time.sleep(pause)
                self._cancel_accepted(folder)
        return _sbatch(executor, payload, resources)

    def queue(self) -> dict[str, QueuedJob]:
        """Return this user's jobs."""
        return slurm.queue()

    def cancel(self, submissions: list[Submission]) -> None:
        """End jobs, running or waiting."""
        slurm.cancel([submission.job_id for submission in submissions])

    def last_state(self, job_id: str) -> str | None:
        """Return the state in the accounting."""
        return slurm.accounted_state(job_id)

    def _cancel_accepted(self, folder: Path) -> None:
        """End the jobs that the controller made of a submission without confirming it."""
        deadline = time.monotonic() + slurm.SECONDS_TO_END
        try:
            if accepted := _alive(folder):
                slurm.cancel(accepted)
            while _alive(folder):
                if time.monotonic() > deadline:
                    raise SubmissionError(
                        f"job {accepted[0]}, which SLURM did not confirm, was cancelled but has not ended"
                    )
                time.sleep(slurm.POLL_SECONDS)
        except slurm.QueueUnavailableError as error:
            raise SubmissionError(f"SLURM does not answer: {error}") from None


def _alive(folder: Path) -> list[str]:
    """Return the jobs of a submission that wait or run."""
    return [job_id for job_id, job in slurm.queue().items() if Path(job.script).parent == folder and not job.ended]


class Local:
    """Processes on this machine, through submitit's local executor."""

    def __init__(self, requeues: int, signal_delay: int) -> None:
        """Keep the settings; see ExecutorSettings."""
        self.requeues, self.signal_delay = requeues, signal_delay
        self._handles: dict[str, submitit.Job[None]] = {}

    def submit(self, payload: Payload, folder: Path, parameters: dict[str, Any], resources: Mapping[str, Any]) -> str:
        """Start a controller process, which starts the job's tasks."""
        if parameters["nodes"] > 1:
            raise SubmissionError(f"nodes: {parameters['nodes']}, and there is one; set nodes to 1")
        devices = self._free_devices(parameters.get("gpus_per_node", 0))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / DEVICES_FILE).write_text(json.dumps(devices), encoding="utf-8")
        payload.environment = {"CUDA_VISIBLE_DEVICES": ",".join(devices)}  # submitit's own choice takes numbers only
        executor = submitit.LocalExecutor(folder, max_num_timeout=self.requeues)
        executor.update_parameters(
            timeout_min=parameters["timeout_min"],
            tasks_per_node=parameters["tasks_per_node"],
            stderr_to_stdout=True,
            signal_delay_s=_delay(self.signal_delay, parameters),
        )
        job = executor.submit(payload)
        self._handles[job.job_id] = job
        return job.job_id

    def queue(self) -> dict[str, QueuedJob]:
        """Return live controller processes; their command lines name their folders."""
        for job_id, job in list(self._handles.items()):
            if job.done():  # also reaps the process
                self._handles.pop(job_id, None)  # two threads ask
        return dict(self._controllers())

    def cancel(self, submissions: list[Submission]) -> None:
        """Interrupt the controllers, which end their tasks."""
        alive = self.queue()
        for submission in submissions:
            if submission.job_id in alive and submission.owns(alive[submission.job_id].script):
                with suppress(ProcessLookupError):
                    os.kill(int(submission.job_id), signal.SIGINT)

    def last_state(self, job_id: str) -> str | None:
        """Return nothing: no record of ended processes exists."""
        return None

    def _free_devices(self, count: int) -> list[str]:
        """Return the first GPUs that no job uses, including jobs of an earlier main process.

        Snakemake's `--resources gpus=N` ensures that there are enough.
        """
        if not count:
            return []
        listed = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = map(str, itertools.count()) if listed is None else filter(None, listed.split(","))
        used = {device for job in self.queue().values() for device in _devices(Path(job.script))}
        free = list(itertools.islice((name for name in names if name not in used), count))
        if len(free) < count:
            raise SubmissionError(
                f"gpus: {count} asked for, but {len(free)} free; set --resources gpus to what there is"
            )
        return free

    def _controllers(self) -> Iterator[tuple[str, QueuedJob]]:
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if "submitit.local._local" in command:
                yield str(process.pid), QueuedJob("RUNNING", command[-1])


def _devices(folder: Path) -> list[str]:
    """Return the GPUs of a local job; none for a job that another program has started through submitit."""
    try:
        return json.loads((folder / DEVICES_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []


class Debug:
    """Jobs run one after the other while Snakemake waits; nothing is left in the background."""

    def submit(self, payload: Payload, folder: Path, parameters: dict[str, Any], resources: Mapping[str, Any]) -> str:
        """Run the job to its end."""
        folder.mkdir(parents=True, exist_ok=True)
        job = submitit.AutoExecutor(folder, cluster="debug").submit(payload.run_alone)
        error = job.exception()
        result = ("success", None) if error is None else ("error", str(error))
        (folder / f"{job.job_id}_0_result.pkl").write_bytes(pickle.dumps(result))
        return job.job_id

    def queue(self) -> dict[str, QueuedJob]:
        """Return nothing: no job waits or runs."""
        return {}

    def cancel(self, submissions: list[Submission]) -> None:
        """Do nothing: there is no job to end."""

    def last_state(self, job_id: str) -> str | None:
        """Return nothing: ended jobs are not recorded."""
        return None


def _delay(seconds: int, parameters: dict[str, Any]) -> int:
    """Return the seconds before its time limit at which a job is signalled, at most half of the limit."""
    return min(seconds, 60 * parameters["timeout_min"] // 2)


def _sbatch(executor: submitit.AutoExecutor, payload: Payload, resources: Mapping[str, Any]) -> str:
    """Submit once, and return the job's id."""
    try:
        with _outside_of_allocations():
            return executor.submit(payload).job_id
    except submitit.core.utils.FailedJobError as error:
        last = (str(error).strip() or "sbatch failed without a message").splitlines()[-1].rpartition("failed: ")[2]
        kind = UnansweredError if any(words in last for words in UNANSWERED) else SubmissionError
        raise kind(f"SLURM refused the job: {last} (asked for: {request(resources)})") from None


@contextmanager
def _outside_of_allocations() -> Iterator[None]:
    """Hide the variables of a SLURM job that Snakemake itself may run in; SLURM_CONF stays."""
    own = {key: value for key, value in os.environ.items() if key.startswith(("SLURM_", "SBATCH_", "SUBMITIT_"))}
    own.pop("SLURM_CONF", None)
    hidden = own if "SLURM_JOB_ID" in own else {}
    for key in hidden:
        del os.environ[key]
    try:
        yield
    finally:
        os.environ.update(hidden)
