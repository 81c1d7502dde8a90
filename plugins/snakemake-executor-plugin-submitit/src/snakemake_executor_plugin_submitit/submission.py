"""One submitted job: its folder, its state, and the record that outlives Snakemake's main process."""

import contextlib
import json
import pickle
from dataclasses import dataclass, field, fields
from pathlib import Path


@dataclass
class Submission:
    """A job that was handed to submitit, or is about to be. All its files are in its own `folder`."""

    folder: str
    tasks: int
    works: dict[str, str]
    """Path of each file that it makes → identity of the work that makes it (`identity.works`)."""
    earlier: list[str] = field(default_factory=list)
    """Its `update` outputs that existed before."""
    job_id: str = ""
    """Id of the job; empty until it was accepted."""
    submitted: float = 0.0
    """Seconds since the epoch by the clock of the file system, which dates inputs as well; 0 if unknown."""

    @property
    def logs(self) -> list[str]:
        """Return the existing output files of the job's tasks."""
        return sorted(str(path) for path in Path(self.folder).glob("*_log.*"))

    def owns(self, script: str) -> bool:
        """Return whether a job's script (or, for a local process, its folder) is that of this submission.

        Job ids are not enough, because a rebuilt cluster and processes reuse them.
        """
        return Path(self.folder) in (Path(script), Path(script).parent)

    @property
    def ended(self) -> float:
        """Return the time of the last task's result, seconds since the epoch; 0 before there is one."""
        return max((path.stat().st_mtime for path in self._result_files()), default=0.0)

    def results(self) -> list[tuple[str, object]]:
        """Return what finished tasks left: ("success", …) or ("error", traceback).

        A file that cannot be read counts as missing, because an exception here would end the workflow.
        """
        return self._results("*")

    @property
    def main_task_succeeded(self) -> bool:
        """Return whether the task that runs Snakemake succeeded; others may have failed."""
        return any(kind == "success" for kind, _ in self._results("0"))

    def _results(self, rank: str) -> list[tuple[str, object]]:
        found = []
        for path in self._result_files(rank):
            with contextlib.suppress(Exception):  # a damaged pickle may raise anything
                kind, value = pickle.loads(path.read_bytes())
                found.append((str(kind), value))
        return found

    def _result_files(self, rank: str = "*") -> list[Path]:
        return sorted(Path(self.folder).glob(f"{self.job_id}_{rank}_result.pkl")) if self.job_id else []


class Registry:
    """Submissions whose end Snakemake has not noticed yet, one file each."""

    def __init__(self, directory: Path) -> None:
        """Keep the files in `directory`."""
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def add(self, submission: Submission) -> None:
        """Record a submission, replacing its earlier record."""
        path = self._path(submission)
        names = [entry.name for entry in fields(Submission) if entry.name != "submitted"]
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps({name: getattr(submission, name) for name in names}), encoding="utf-8")
        partial.replace(path)

    def remove(self, submission: Submission) -> None:
        """Forget a submission."""
        self._path(submission).unlink(missing_ok=True)

    def load(self) -> tuple[list[Submission], list[Path]]:
        """Return the recorded submissions, and the files that cannot be read, e.g. after a power failure or of another
        version.
        """
        submissions, unreadable = [], []
        for path in sorted(self.directory.glob("*.json")):
            try:
                submission = Submission(**json.loads(path.read_text(encoding="utf-8")))
                submission.submitted = path.stat().st_mtime
                submissions.append(submission)
            except (OSError, ValueError, TypeError):
                unreadable.append(path)
        return submissions, unreadable

    def _path(self, submission: Submission) -> Path:
        return self.directory / f"{Path(submission.folder).name}.json"
