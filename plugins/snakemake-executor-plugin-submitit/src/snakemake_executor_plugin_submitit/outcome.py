"""State of a job. The queue is checked first, because a job that left a result may have been requeued."""

from typing import Literal, NamedTuple

from snakemake_executor_plugin_submitit.slurm import NO_RESULT_EXPECTED, QueuedJob
from snakemake_executor_plugin_submitit.submission import Submission

OUT_OF_REQUEUES = "the job reached its time limit once more than --submitit-requeues allows; raise that or runtime"


class Outcome(NamedTuple):
    """`kind`, and the reason of a failed job."""

    kind: Literal["active", "succeeded", "failed", "unclear"]
    reason: str = ""


def outcome(submission: Submission, queued: QueuedJob | None) -> Outcome:
    """Judge a job by its place in the queue and by what its tasks left.

    `unclear` means that the job seems to have ended without a result: the file system may show it late, or SLURM may be
    about to requeue. Call this again for some time, and then `last_word`.
    """
    own = queued is not None and submission.owns(queued.script)
    state = queued.state if own else None
    if own and not queued.ended:
        return Outcome("active")
    if state in NO_RESULT_EXPECTED:
        return Outcome("failed", f"SLURM ended the job: {state}")
    results = submission.results()
    errors = [str(value) for kind, value in results if kind != "success"]
    if errors:
        reason = errors[0].strip().splitlines()[-1]
        return Outcome("failed", OUT_OF_REQUEUES if "timed-out too many times" in reason else reason)
    if len(results) == submission.tasks:
        return Outcome("succeeded")
    return Outcome("unclear", f"the job left no result; its last state is {state or 'unknown'}")


def last_word(verdict: Outcome, submission: Submission, accounted: str | None) -> Outcome:
    """Return the final verdict on a failed or unclear job, with the state that accounting, if any, has recorded."""
    if accounted in NO_RESULT_EXPECTED:
        return Outcome("failed", f"SLURM ended the job: {accounted}")
    if verdict.kind == "failed":
        return verdict
    known = f", by accounting {accounted}" if accounted else ""
    unseen = "" if submission.logs else f"; no log either: do all nodes see {submission.folder}?"
    return Outcome("failed", f"{verdict.reason}{known}{unseen}")
