"""Progress of a long step: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self, TextIO

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Count items of work and show how many of `total` are done and how many per second.

    On a terminal a bar is redrawn in place. In a file or pipe a line is written every 10 seconds and at the end.
    Use it as a context manager around the loop.
    """

    def __init__(self, title: str, total: int, unit: str = "images", stream: TextIO | None = None) -> None:
        """Start counting from 0 to `total` items of `unit`; `stream` is standard error by default."""
        self.title, self.total, self.unit = title, total, unit
        self.stream = sys.stderr if stream is None else stream
        self.done = 0
        self._started = self._written = time.monotonic()
        self._bar = (
            tqdm(total=total, desc=title, unit=f" {unit}", file=self.stream, unit_scale=True, dynamic_ncols=True)
            if self.stream.isatty()
            else None
        )

    def update(self, count: int, note: str = "") -> None:
        """Record `count` more finished items; `note` (e.g. the loss) is shown after the rate."""
        self.done += count
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(count)
        elif time.monotonic() - self._written >= SECONDS_BETWEEN_LINES:
            self._write_line(note)

    def _write_line(self, note: str) -> None:
        self._written = time.monotonic()
        rate = self.done / max(self._written - self._started, 1e-9)
        share = 100 * self.done / max(self.total, 1)
        parts = (
            f"{self.title}: {self.done}/{self.total} {self.unit} ({share:.0f} %)",
            f"{rate:.0f} {self.unit}/s",
            note,
        )
        print(", ".join(part for part in parts if part), file=self.stream, flush=True)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write the last line, or close the bar."""
        if self._bar is not None:
            self._bar.close()
        else:
            self._write_line("" if kind is None else "stopped")
