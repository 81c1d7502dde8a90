"""Jobs of an earlier, killed main process: they are continued if they do the same work, and ended otherwise."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.logging import LoggerExecutorInterface

from snakemake_executor_plugin_submitit.backends import Backend
from snakemake_executor_plugin_submitit.errors import SubmissionError
from snakemake_executor_plugin_submitit.identity import absolute, members, newest, works
from snakemake_executor_plugin_submitit.outcome import Outcome, outcome
from snakemake_executor_plugin_submitit.slurm import POLL_SECONDS, SECONDS_TO_END, QueuedJob, QueueUnavailableError
from snakemake_executor_plugin_submitit.submission import Registry, Submission

Claims = dict[JobExecutorInterface, Submission | SubmissionError]


class Earlier:
    """Submissions that an earlier main process has left, identified by the files that they make."""

    def __init__(self, registry: Registry, backend: Backend, workflow: Any, logger: LoggerExecutorInterface) -> None:
        """Read the submissions; `workflow` is Snakemake's, and tells what the user forces to run again."""
        self.registry, self.backend, self.workflow, self.logger = registry, backend, workflow, logger
        self._holders: dict[str, list[Submission]] = {}
        submissions, unreadable = registry.load()
        for submission in submissions:
            for path in submission.works:
                self._holders.setdefault(path, []).append(submission)
        for path in unreadable:
            logger.warning(f"{path} cannot be read: if the job that it names still runs, end it; it is forgotten")
            path.unlink(missing_ok=True)

    def claim(self, jobs: list[JobExecutorInterface]) -> Claims:
        """Decide who makes the outputs of jobs that are about to be submitted.

        Returns:
            For jobs that continue an earlier submission, this submission. If a submission has to be ended but does not
            end, the error that reports it. Jobs that are submitted anew are left out: nothing else writes their outputs
            any more.
        """
        held = {job: found for job in jobs if (found := self._holding(job))}
        if not held:
            return {}
        try:
            queue = self.backend.queue()
            fitting, outdated = self._sort_out(held, queue)
            alive = self._end([submission for found in outdated.values() for submission in found], queue)
        except QueueUnavailableError as error:
            message = f"a job of an earlier run may still make the same files, and SLURM does not answer: {error}"
            return dict.fromkeys(held, SubmissionError(message))
        claims: Claims = dict(fitting)
        for job, found in outdated.items():
            if stuck := [submission for submission in found if submission.folder in alive]:
                claims[job] = SubmissionError(
                    f"job {stuck[0].job_id} of an earlier run still makes {min(stuck[0].works)}, and has not ended "
                    f"within {SECONDS_TO_END:.0f} s; run again when it has"
                )
        return claims

    def _holding(self, job: JobExecutorInterface) -> list[Submission]:
        found = [submission for path in works(job) for submission in self._holders.get(path, [])]
        return list({submission.folder: submission for submission in found}.values())

    def _sort_out(
        self, held: Mapping[JobExecutorInterface, list[Submission]], queue: Mapping[str, QueuedJob]
    ) -> tuple[dict[JobExecutorInterface, Submission], dict[JobExecutorInterface, list[Submission]]]:
        claims: dict[JobExecutorInterface, Submission] = {}
        outdated = {}
        for job, found in held.items():
            if len(found) == 1 and self._fits(found[0], job, queue):
                claims[job] = found[0]
            else:
                outdated[job] = found
        ended = {submission.folder for found in outdated.values() for submission in found}
        for job in [job for job, claim in claims.items() if claim.folder in ended]:  # another member of a group
            outdated[job] = [claims.pop(job)]
        return claims, outdated

    def _fits(self, submission: Submission, job: JobExecutorInterface, queue: Mapping[str, QueuedJob]) -> bool:
        """Return whether a submission does all the work of a job as it is now, and has not failed."""
        if works(job).items() - submission.works.items() or self._is_forced(job):
            return False
        foreign = [file for file in job.input if absolute(file) not in submission.works]
        if newest(foreign) > submission.submitted:
            return False
        verdict = outcome(submission, queue.get(submission.job_id))
        return verdict.kind == "active" or (verdict.kind == "succeeded" and self._has_just_made(submission, job))

    def _has_just_made(self, submission: Submission, job: JobExecutorInterface) -> bool:
        """Return whether a submission has made the outputs of a job since Snakemake looked at them.

        If they were complete before that and are still to be made, something has changed that only Snakemake knows.
        """
        reasons = [self.workflow.dag.reason(member) for member in members(job)]
        return all(reason.missing_output or reason.forced for reason in reasons) and _made(submission, job)

    def _is_forced(self, job: JobExecutorInterface) -> bool:
        """Return whether the user wants the job to run again, and not only Snakemake because its outputs are
        incomplete.
        """
        dag, settings = self.workflow.dag, self.workflow.dag_settings
        named = {absolute(file) for file in settings.forcerun}
        named |= {absolute(file) for file in dag.targetfiles if settings.forcetargets}
        return any(
            member.rule in dag.forcerules or not named.isdisjoint(map(absolute, member.output))
            for member in members(job)
        )

    def _end(self, submissions: list[Submission], queue: Mapping[str, QueuedJob]) -> set[str]:
        """Cancel submissions, wait for their ends and forget them; return the folders of those that do not end."""
        for submission in submissions:
            if not submission.job_id:  # the main process died before it received the id
                accepted = [job_id for job_id, place in queue.items() if submission.owns(place.script)]
                accepted.sort(key=lambda job_id: queue[job_id].ended)
                submission.job_id = next(iter(accepted), "")
        left = {submission.folder: submission for submission in submissions}
        queued = [
            submission
            for submission in left.values()
            if _place(submission, queue) and _verdict(submission, queue).kind in ("active", "unclear")
        ]
        for submission in queued:
            self.logger.warning(
                f"Job {submission.job_id} of an earlier run is cancelled: it makes {min(submission.works)}, "
                "which is to be made in another way now"
            )
        if queued:
            self.backend.cancel(queued)
        deadline = time.monotonic() + SECONDS_TO_END
        while True:
            for submission in list(left.values()):
                if _verdict(submission, queue).kind != "active":
                    self._forget(left.pop(submission.folder))
            if not left or time.monotonic() > deadline:
                return set(left)
            time.sleep(POLL_SECONDS)
            queue = self.backend.queue()

    def _forget(self, submission: Submission) -> None:
        self.registry.remove(submission)
        for path in submission.works:
            self._holders[path] = [other for other in self._holders[path] if other is not submission]


def _place(submission: Submission, queue: Mapping[str, QueuedJob]) -> QueuedJob | None:
    place = queue.get(submission.job_id)
    return place if place is not None and submission.owns(place.script) else None


def _verdict(submission: Submission, queue: Mapping[str, QueuedJob]) -> Outcome:
    return outcome(submission, _place(submission, queue))


def _made(submission: Submission, job: JobExecutorInterface) -> bool:
    """Return whether the outputs of a job are as a submission that has ended left them."""
    return all(Path(str(file)).exists() for file in job.output) and newest(job.output) <= submission.ended
