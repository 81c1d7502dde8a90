"""The executor: submits Snakemake's jobs, follows them, and finds them again after a crash of the main process."""

import hashlib
import json
import os
import time
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

from snakemake_executor_plugin_submitit.backends import Backend, Debug, Local, Slurm
from snakemake_executor_plugin_submitit.errors import SubmissionError
from snakemake_executor_plugin_submitit.outcome import Outcome, last_word, outcome
from snakemake_executor_plugin_submitit.payload import Payload
from snakemake_executor_plugin_submitit.resources import parameters
from snakemake_executor_plugin_submitit.slurm import QueueUnavailableError
from snakemake_executor_plugin_submitit.submission import Registry, Submission

SECONDS_TO_SAVE = 60.0
"""How long a job may take to save its state after a signal; SLURM's own limits may be shorter."""


class Executor(RemoteExecutor):
    """Runs every job that is not local as a submitit job of its own."""

    def __post_init__(self) -> None:
        """Check what can be checked before the first job."""
        self.folder = Path(self.executor_settings.folder).absolute()
        self._open: dict[str, Submission] = {}
        self._unclear: dict[str, float] = {}
        self._queue_answers = True
        try:
            self.backend = self._build_backend()
            self.registry = _writable_registry(self.folder)
        except SubmissionError as error:
            raise WorkflowError(f"executor submitit: {error}") from None

    def run_job(self, job: JobExecutorInterface) -> None:
        """Submit a job, or go on waiting for the one that an earlier main process has submitted."""
        key = _key(job)
        try:
            submission = self._attach(job, key) or self._submit(job, key)
        except SubmissionError as error:
            self.report_job_error(SubmittedJobInfo(job), msg=f"{error}\n")
            return
        self._open[key] = submission
        info = SubmittedJobInfo(job, external_jobid=submission.job_id, aux={"key": key, "submission": submission})
        self.report_job_submission(info)

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Report jobs that have ended, yield the others."""
        if not active_jobs:
            return
        async with self.status_rate_limiter:
            verdicts = self._verdicts(active_jobs)
        for info, verdict in zip(active_jobs, verdicts, strict=True):
            if verdict.kind in ("active", "unclear"):
                yield info
                continue
            self._forget(info.aux["key"])
            if verdict.kind == "succeeded":
                self.report_job_success(info)
            else:
                self._report_failure(info, verdict.reason)

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """End all jobs, those included whose state is just being asked for."""
        if self._open:
            self.backend.cancel(list(self._open.values()))
        for key in list(self._open):
            self._forget(key)

    def _build_backend(self) -> Backend:
        settings = self.executor_settings
        if settings.cluster == "slurm":
            return Slurm(settings.requeues, settings.signal_delay)
        if settings.cluster == "local":
            return Local(settings.requeues, settings.signal_delay)
        return Debug()

    def _submit(self, job: JobExecutorInterface, key: str) -> Submission:
        folder = self.folder / f"{job.name}-{uuid.uuid4().hex[:12]}"
        chosen = parameters(f"{job.name}-{job.jobid}", job.threads, job.resources)
        payload = Payload(self.format_job_exec(job), str(Path.cwd()), SECONDS_TO_SAVE)
        job_id = self.backend.submit(payload, folder, chosen, job.resources)
        tasks = chosen["nodes"] * chosen["tasks_per_node"]
        submission = Submission(job_id, str(folder), tasks, time.time())
        self.registry.add(key, submission)
        self.logger.info(f"Job {job.jobid} is submitted as {job_id}; its log: {folder}/{job_id}_0_log.out")
        return submission

    def _attach(self, job: JobExecutorInterface, key: str) -> Submission | None:
        """The submission of an earlier main process for the same job, unless its work is of no use any more."""
        submission = self.registry.find(key)
        if submission is None:
            return None
        try:
            verdict = outcome(submission, self.backend.queue().get(submission.job_id))
        except QueueUnavailableError as error:
            raise SubmissionError(
                f"job {submission.job_id} may still run, and SLURM does not answer: {error}"
            ) from None
        outdated = _forced(self.dag, job) or _newest(job.input) > submission.submitted
        if verdict.kind == "active" and outdated:
            self.backend.cancel([submission])
        elif not outdated and (verdict.kind == "active" or (verdict.kind == "succeeded" and _made(submission, job))):
            self.logger.info(f"Job {job.jobid} is attached to {submission.job_id}, submitted before a restart")
            return submission
        self.registry.remove(key)
        return None

    def _verdicts(self, infos: list[SubmittedJobInfo]) -> list[Outcome]:
        """One verdict for each job; all are taken to be active while the queue does not answer."""
        try:
            queue = self.backend.queue()
        except QueueUnavailableError as error:
            if self._queue_answers:
                self.logger.warning(f"SLURM's queue does not answer; jobs are left alone until it does: {error}")
            self._queue_answers = False
            return [Outcome("active")] * len(infos)
        self._queue_answers = True
        return [self._verdict(info.aux["key"], info.aux["submission"], queue) for info in infos]

    def _verdict(self, key: str, submission: Submission, queue: dict) -> Outcome:
        place = queue.get(submission.job_id)
        verdict = outcome(submission, place)
        if verdict.kind != "unclear":
            self._unclear.pop(key, None)
        elif self._may_become_clear(key):
            return verdict
        if verdict.kind == "unclear" or (verdict.kind == "failed" and place is None):
            return last_word(verdict, submission, self.backend.last_state(submission.job_id))
        return verdict

    def _may_become_clear(self, key: str) -> bool:
        """Whether a job is unclear for the first time, or for less than the seconds of --latency-wait."""
        now = time.monotonic()
        since = self._unclear.setdefault(key, now)
        return since == now or now - since < self.workflow.execution_settings.latency_wait

    def _report_failure(self, info: SubmittedJobInfo, reason: str) -> None:
        submission = info.aux["submission"]
        self.report_job_error(info, msg=f"Job {submission.job_id}: {reason}\n", aux_logs=submission.logs)

    def _forget(self, key: str) -> None:
        self._open.pop(key, None)
        self._unclear.pop(key, None)
        self.registry.remove(key)


def _writable_registry(folder: Path) -> Registry:
    try:
        registry = Registry(folder / "open")
        probe = registry.directory / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SubmissionError(
            f"--submitit-folder: {folder} is not writable ({error.strerror}); name a directory that all nodes share"
        ) from None
    return registry


def _key(job: JobExecutorInterface) -> str:
    """Identity of a job's work: what it makes, from what, and how."""
    members = sorted(job.jobs, key=str) if job.is_group() else [job]
    return hashlib.sha256(json.dumps([_work(member) for member in members]).encode()).hexdigest()[:32]


def _work(job: JobExecutorInterface) -> list[object]:
    files = [sorted(map(str, job.input)), sorted(map(str, job.output))]
    return [job.rule.name, *files, job.shellcmd or "", sorted(f"{key}={value}" for key, value in job.params.items())]


def _forced(dag: object, job: JobExecutorInterface) -> bool:
    members = job.jobs if job.is_group() else [job]
    return any(dag.reason(member).forced for member in members)


def _made(submission: Submission, job: JobExecutorInterface) -> bool:
    """Whether the outputs of a job are there as a submission that has ended left them."""
    return all(Path(str(file)).exists() for file in job.output) and _newest(job.output) <= submission.ended


def _newest(files: object) -> float:
    """Time of the last change among existing files, seconds since the epoch."""
    return max((path.stat().st_mtime for path in map(Path, map(str, files)) if path.exists()), default=0.0)
