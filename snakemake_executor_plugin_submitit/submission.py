"""One submitted job: its folder, what has become of it, and the memory that outlives Snakemake's main process."""

import json
import pickle
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass
class Submission:
    """A job that was handed to submitit. Everything about it lies in `folder`, which is its own."""

    job_id: str
    folder: str
    tasks: int
    submitted: float
    """Seconds since the epoch."""

    @property
    def logs(self) -> list[str]:
        """Existing output files of the job's tasks."""
        return sorted(str(path) for path in Path(self.folder).glob("*_log.*"))

    def owns(self, script: str) -> bool:
        """Whether a job's script (or, for a local process, its folder) is that of this submission.

        Job ids are not enough: a rebuilt cluster, and processes, use them again.
        """
        return Path(self.folder) in (Path(script), Path(script).parent)

    @property
    def ended(self) -> float:
        """Time of the last task's result, seconds since the epoch; 0 before there is one."""
        return max((path.stat().st_mtime for path in self._result_files()), default=0.0)

    def results(self) -> list[tuple[str, object]]:
        """What the tasks that came to an end left behind: ("success", …) or ("error", traceback)."""
        return list(self._results())

    def _results(self) -> Iterator[tuple[str, object]]:
        for path in self._result_files():
            with path.open("rb") as file:
                yield pickle.load(file)

    def _result_files(self) -> list[Path]:
        return sorted(Path(self.folder).glob(f"{self.job_id}_*_result.pkl"))


class Registry:
    """Submissions whose end Snakemake has not seen yet, one file each."""

    def __init__(self, directory: Path) -> None:
        """Keep the files in `directory`."""
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def find(self, key: str) -> Submission | None:
        """The submission recorded under a key."""
        try:
            return Submission(**json.loads(self._path(key).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def add(self, key: str, submission: Submission) -> None:
        """Record a submission, in place of an earlier one with the same key."""
        partial = self._path(key).with_suffix(".part")
        partial.write_text(json.dumps(asdict(submission)), encoding="utf-8")
        partial.replace(self._path(key))

    def remove(self, key: str) -> None:
        """Forget a submission."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.directory / f"{key}.json"
