"""The metrics log, `metrics.jsonl`: one line per logged step, readable while the run goes on."""

import json
from pathlib import Path

from mast.files import write_text

Record = dict[str, float | int | list[float] | list[str]]


class MetricsLog:
    """The logged lines of one run, on disk and in memory."""

    def __init__(self, path: Path) -> None:
        """`path` is written at `restart` and grows with every `add`."""
        self.path = path
        self.records: list[Record] = []

    def restart(self, records: list[Record]) -> None:
        """Begin with `records`: none, or those of the checkpoint from which the run goes on."""
        self.records = list(records)
        write_text(self.path, "".join(_line(record) for record in self.records))

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


def _line(record: Record) -> str:
    return json.dumps(record, allow_nan=False) + "\n"
