"""Metrics log, `metrics.jsonl`: one line per logged step, readable while the run continues."""

import json
from pathlib import Path
from typing import Protocol

from mast.files import write_text

Record = dict[str, float | int | list[float] | list[str]]


class Follower(Protocol):
    """Interface of a copy of the log in another format."""

    def restart(self, records: list[Record]) -> None:
        """Begin anew with these records, as the log does."""

    def add(self, record: Record) -> None:
        """Add one more record of the log."""


class MetricsLog:
    """The logged lines of one run, on disk and in memory."""

    def __init__(self, path: Path, follower: Follower | None = None) -> None:
        """Prepare the log. `path` is written at `restart` and grows with each `add`; `follower` gets both calls."""
        self.path, self.follower = path, follower
        self.records: list[Record] = []

    def restart(self, records: list[Record]) -> None:
        """Begin with `records`: none, or those of the checkpoint from which the run resumes."""
        self.records = list(records)
        write_text(self.path, "".join(_line(record) for record in self.records))
        if self.follower is not None:
            self.follower.restart(self.records)

    def add(self, record: Record) -> None:
        """Append one line.

        Raises:
            OSError: it cannot be written; it names the file.
        """
        self.records.append(record)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(record))
        except OSError as error:
            error.filename = str(self.path)
            raise
        if self.follower is not None:
            self.follower.add(record)


def _line(record: Record) -> str:
    return json.dumps(record, allow_nan=False) + "\n"
