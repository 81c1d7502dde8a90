"""Outputs flagged as `update`: a job changes the existing files, and a failed job leaves them as they were.

The Snakemake that runs inside a job copies these files before the rule's command, below `.snakemake/backups`. If the
command fails it puts them back and deletes the copies. The executor handles two more cases. First, Snakemake's main
process tries to put the files back as well, finds no copies and deletes the files; so it is given copies. Second, a job
that was killed before it could put them back may be requeued, and would then take half-changed files for the original
ones.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.persistence import PersistenceExecutorInterface

from snakemake_executor_plugin_submitit.identity import members
from snakemake_executor_plugin_submitit.submission import Submission


def earlier_outputs(job: JobExecutorInterface) -> list[str]:
    """Return the paths of a job's `update` outputs that exist."""
    updated = [str(file) for member in members(job) for file in member.output if _is_updated(file)]
    return [path for path in updated if Path(path).exists()]


def backups(paths: Iterable[str], persistence: PersistenceExecutorInterface) -> dict[str, str]:
    """Return the absolute path of each file → that of Snakemake's copy, which exists while a job changes the file."""
    folder = persistence.path.absolute() / "backups"
    return {str(Path(path).absolute()): str(folder / Path(path).relative_to(Path(path).anchor)) for path in paths}


def put_back(copies: dict[str, str]) -> None:
    """Restore files from their existing copies, and delete the copies."""
    for path, copy in ((Path(path), Path(copy)) for path, copy in copies.items()):
        if copy.is_dir():
            shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(copy, path)
            shutil.rmtree(copy)
        elif copy.exists():
            shutil.copy(copy, path)
            copy.unlink()


def unchanged(submission: Submission, persistence: PersistenceExecutorInterface) -> list[str]:
    """Return the outputs of a failed job that are unchanged: restored by the job, or never touched.

    If a copy is left, the job was killed and Snakemake's main process restores the file. If Snakemake succeeded in the
    job and another task failed, the files are new.
    """
    if submission.main_task_succeeded:
        return []
    copies = backups(submission.earlier, persistence)
    return [path for path, copy in zip(submission.earlier, copies.values(), strict=True) if not Path(copy).exists()]


def keep(paths: Iterable[str], persistence: PersistenceExecutorInterface) -> dict[str, OSError]:
    """Give Snakemake's main process copies from which it restores files after the failure.

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
