"""Outputs that are flagged as `update`: a job changes what was there before, and a failed one leaves it as it was.

The Snakemake that runs inside a job copies these files before the rule's command, below `.snakemake/backups`. If the
command fails it puts them back and deletes the copies. Two cases are left to the executor. Snakemake's main process
wants to put them back as well, finds no copies and deletes the files: so it is given copies. And a job that was killed
before it could put them back may be requeued: then it would take what is half done for what was there before.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.persistence import PersistenceExecutorInterface

from snakemake_executor_plugin_submitit.identity import members
from snakemake_executor_plugin_submitit.submission import Submission


def earlier_outputs(job: JobExecutorInterface) -> list[str]:
    """Paths of a job's `update` outputs that exist."""
    updated = [str(file) for member in members(job) for file in member.output if _is_updated(file)]
    return [path for path in updated if Path(path).exists()]


def backups(paths: Iterable[str], persistence: PersistenceExecutorInterface) -> dict[str, str]:
    """Absolute path of each file → that of Snakemake's copy of it, which exists while a job changes the file."""
    folder = persistence.path.absolute() / "backups"
    return {str(Path(path).absolute()): str(folder / Path(path).relative_to(Path(path).anchor)) for path in paths}


def put_back(copies: dict[str, str]) -> None:
    """Restore files from those copies that exist, and delete these."""
    for path, copy in ((Path(path), Path(copy)) for path, copy in copies.items()):
        if copy.is_dir():
            shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(copy, path)
            shutil.rmtree(copy)
        elif copy.exists():
            shutil.copy(copy, path)
            copy.unlink()


def unchanged(submission: Submission, persistence: PersistenceExecutorInterface) -> list[str]:
    """Outputs of a failed job that are what they were before it: restored by the job, or never touched.

    Where a copy is left, the job was killed and Snakemake's main process restores the file. And a job whose Snakemake
    succeeded, of which another task failed, has left new files.
    """
    if submission.main_task_succeeded:
        return []
    copies = backups(submission.earlier, persistence)
    return [path for path, copy in zip(submission.earlier, copies.values(), strict=True) if not Path(copy).exists()]


def keep(paths: Iterable[str], persistence: PersistenceExecutorInterface) -> dict[str, OSError]:
    """Give Snakemake's main process copies from which it restores files when it hears of the failure.

    Returns:
        The files that could not be copied, and why.
    """
    failed = {}
    for path in filter(_exists, paths):
        try:
            persistence.backup_output(Path(path))
        except OSError as error:
            failed[path] = error
    return failed


def _exists(path: str) -> bool:
    return Path(path).exists()


def _is_updated(file: object) -> bool:
    return bool(getattr(file, "flags", {}).get("update"))
