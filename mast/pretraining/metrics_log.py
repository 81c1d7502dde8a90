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
        self._waits = False

    def restart(self, records: list[Record]) -> None:
        """Begin with `records`: none, or those of the checkpoint from which the run resumes.

        Without records, an earlier run's lines stay until the first new one, in case training does not get that far.
        """
        self.records = list(records)
        self._waits = not records and self.path.exists() and self.path.stat().st_size > 0
        if not self._waits:
            self.write()

    def write(self) -> None:
        """Write a file of the records so far, in the place of an earlier one."""
        self._waits = False
        write_text(self.path, "".join(_line(record) for record in self.records))
        if self.follower is not None:
            self.follower.restart(self.records)

    def add(self, record: Record) -> None:
        """Append one line.

        Raises:
            OSError: it cannot be written; it names the file.
        """
        if self._waits:
            self._begin(record)
        else:
            self._append(record)
        self.records.append(record)
        if self.follower is not None:
            self.follower.add(record)

    def _begin(self, record: Record) -> None:
        """Write the first line in the place of an earlier run's lines."""
        write_text(self.path, _line(record))
        self._waits = False
        if self.follower is not None:
            self.follower.restart([])

    def _append(self, record: Record) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(record))
        except OSError as error:
            error.filename = str(self.path)
            raise


def _line(record: Record) -> str:
    return json.dumps(record, allow_nan=False) + "\n"
