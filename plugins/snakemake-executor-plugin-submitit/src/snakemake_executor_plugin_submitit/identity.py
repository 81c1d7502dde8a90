"""Identity of a job: what it makes, from what and how. It identifies the jobs of an earlier main process."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface


def works(job: JobExecutorInterface) -> dict[str, str]:
    """Return the absolute path of each file that a job, or a member of a group, makes → hash of the rule, inputs and
    command.

    A job without outputs has its rule instead of a path.
    """
    made = {}
    for member in members(job):
        work = _hash(member)
        made |= dict.fromkeys(map(absolute, member.output), work) or {absolute(f"rule {member.rule.name}"): work}
    return made


def members(job: JobExecutorInterface) -> list[JobExecutorInterface]:
    """Return the jobs of a group, or the job itself."""
    return sorted(job.jobs, key=str) if job.is_group() else [job]


def newest(files: Iterable[object]) -> float:
    """Return the time of the last change among existing files, seconds since the epoch."""
    return max((path.stat().st_mtime for path in map(Path, map(str, files)) if path.exists()), default=0.0)


def absolute(path: object) -> str:
    """Return an absolute path, since two directories may share a folder of submissions."""
    return str(Path.cwd() / str(path))


def _hash(job: JobExecutorInterface) -> str:
    params: Mapping[str, object] = dict(job.params.items())
    parts = [job.rule.name, sorted(map(str, job.input)), job.shellcmd or ""]
    settings = sorted(f"{key}={_text(value)}" for key, value in params.items())
    return hashlib.sha256(json.dumps([*parts, settings]).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _text(value: object) -> str:
    """Return a param as text that is the same in every process: sets have no order, and addresses of objects change."""
    if isinstance(value, set | frozenset):
        return str(sorted(map(str, value)))
    kind = type(value)
    return kind.__qualname__ if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__ else str(value)
