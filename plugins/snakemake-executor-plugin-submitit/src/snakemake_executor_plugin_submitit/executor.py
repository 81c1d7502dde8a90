"""The executor: submits Snakemake's jobs, follows them, and finds them again after a crash of the main process."""

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
from snakemake_executor_plugin_submitit.earlier import Claims, Earlier
from snakemake_executor_plugin_submitit.errors import SubmissionError
from snakemake_executor_plugin_submitit.identity import members, works
from snakemake_executor_plugin_submitit.outcome import Outcome, last_word, outcome
from snakemake_executor_plugin_submitit.payload import Payload
from snakemake_executor_plugin_submitit.resources import parameters
from snakemake_executor_plugin_submitit.slurm import QueueUnavailableError
from snakemake_executor_plugin_submitit.submission import Registry, Submission
from snakemake_executor_plugin_submitit.updates import backups, earlier_outputs, keep, unchanged

SECONDS_TO_SAVE = 60.0
"""Time that a job may take to save its state after a signal, seconds; SLURM's own limits may be shorter."""


class Executor(RemoteExecutor):
    """Executor that runs every job that is not local as a separate submitit job."""

    def __post_init__(self) -> None:
        """Check what can be checked before the first job."""
        self.folder = Path(self.executor_settings.folder).absolute()
        self._open: dict[str, Submission] = {}
        self._unclear: dict[str, float] = {}
        self._claims: Claims = {}
        self._queue_answers = True
        try:
            self.backend = self._build_backend()
            self.registry = _writable_registry(self.folder)
        except SubmissionError as error:
            raise WorkflowError(f"executor submitit: {error}") from None
        self.earlier = Earlier(self.registry, self.backend, self.workflow, self.logger)

    def run_jobs(self, jobs: list[JobExecutorInterface]) -> None:
        """Run jobs, after no job of an earlier main process makes their files in another way any more."""
        self._claims = self.earlier.claim(jobs)
        super().run_jobs(jobs)

    def run_job(self, job: JobExecutorInterface) -> None:
        """Submit a job, or continue to wait for the one that an earlier main process has submitted."""
        there = earlier_outputs(job)
        try:
            submission = self._attach(job) or self._submit(job, there)
        except SubmissionError as error:
            self._report_failure(SubmittedJobInfo(job), there, str(error))
            return
        self._open[submission.folder] = submission
        self.report_job_submission(
            SubmittedJobInfo(job, external_jobid=submission.job_id, aux={"submission": submission})
        )

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
            submission = info.aux["submission"]
            self._forget(submission)
            if verdict.kind == "succeeded":
                self.report_job_success(info)
            else:
                reason = f"Job {submission.job_id}: {verdict.reason}"
                kept = unchanged(submission, self.workflow.persistence)
                self._report_failure(info, kept, reason, aux_logs=submission.logs)

    def handle_job_error(self, job: JobExecutorInterface) -> None:
        """Called when Snakemake has handled a failed job: the files that it put back are not what the job should have
        made.

        Snakemake (9.27) records them as results and would not make them again, so they are marked as incomplete.
        """
        super().handle_job_error(job)
        for member in members(job):
            if earlier_outputs(member):
                try:
                    member.register()
                except OSError as error:
                    self.logger.warning(f"{member.output[0]} cannot be marked as incomplete ({error}); delete it")

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """End all jobs, including those whose state is being queried."""
        if self._open:
            self.backend.cancel(list(self._open.values()))
        for submission in list(self._open.values()):
            self._forget(submission)

    def _build_backend(self) -> Backend:
        settings = self.executor_settings
        if settings.cluster == "slurm":
            return Slurm(settings.requeues, settings.signal_delay)
        if settings.cluster == "local":
            return Local(settings.requeues, settings.signal_delay)
        return Debug()

    def _attach(self, job: JobExecutorInterface) -> Submission | None:
        """Return the submission of an earlier main process for the same job, if there is one that can be continued."""
        claim = self._claims.pop(job, None)
        if isinstance(claim, SubmissionError):
            raise claim
        if claim is not None:
            self.logger.info(f"Job {job.jobid} is attached to {claim.job_id}, submitted before a restart")
        return claim

    def _submit(self, job: JobExecutorInterface, there: list[str]) -> Submission:
        """Record a job, submit it, and record its id: a main process that is killed in between may leave it running."""
        folder = self.folder / f"{job.name}-{uuid.uuid4().hex[:12]}"
        chosen = parameters(f"{job.name}-{job.jobid}", job.threads, job.resources)
        copies = backups(there, self.workflow.persistence)
        payload = Payload(self.format_job_exec(job), str(Path.cwd()), SECONDS_TO_SAVE, copies)
        submission = Submission(str(folder), chosen["nodes"] * chosen["tasks_per_node"], works(job), there)
        try:
            self.registry.add(submission)
            submission.job_id = self.backend.submit(payload, folder, chosen, job.resources)
            self.registry.add(submission)
        except OSError as error:
            self._give_up(submission)
            raise SubmissionError(f"{error.filename or folder}: {error.strerror or error}") from None
        except SubmissionError:
            self._give_up(submission)
            raise
        log = f"{folder}/{submission.job_id}_0_log.out"
        self.logger.info(f"Job {job.jobid} is submitted as {submission.job_id}; its log: {log}")
        return submission

    def _give_up(self, submission: Submission) -> None:
        """After an error, end what may have been submitted anyway."""
        if submission.job_id:
            self.backend.cancel([submission])
        self.registry.remove(submission)

    def _verdicts(self, infos: list[SubmittedJobInfo]) -> list[Outcome]:
        """Return one verdict for each job; all count as active while the queue does not answer."""
        try:
            queue = self.backend.queue()
        except QueueUnavailableError as error:
            if self._queue_answers:
                self.logger.warning(f"SLURM's queue does not answer; jobs are left alone until it does: {error}")
            self._queue_answers = False
            return [Outcome("active")] * len(infos)
        self._queue_answers = True
        return [self._verdict(info.aux["submission"], queue) for info in infos]

    def _verdict(self, submission: Submission, queue: dict) -> Outcome:
        place = queue.get(submission.job_id)
        verdict = outcome(submission, place)
        if verdict.kind != "unclear":
            self._unclear.pop(submission.folder, None)
        elif self._may_become_clear(submission.folder):
            return verdict
        if verdict.kind == "unclear" or (verdict.kind == "failed" and place is None):
            return last_word(verdict, submission, self.backend.last_state(submission.job_id))
        return verdict

    def _may_become_clear(self, key: str) -> bool:
        """Return whether a job is unclear for the first time, or for less than the seconds of --latency-wait."""
        now = time.monotonic()
        since = self._unclear.setdefault(key, now)
        return since == now or now - since < self.workflow.execution_settings.latency_wait

    def _report_failure(self, info: SubmittedJobInfo, kept: list[str], reason: str, **logs: list[str]) -> None:
        """Report a failed job; `kept` are its outputs that have to stay as they are."""
        for path, error in keep(kept, self.workflow.persistence).items():
            self.logger.warning(f"{path}, of before this job, is lost: it cannot be copied ({error})")
        self.report_job_error(info, msg=f"{reason}\n", **logs)

    def _forget(self, submission: Submission) -> None:
        self._open.pop(submission.folder, None)
        self._unclear.pop(submission.folder, None)
        self.registry.remove(submission)


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
