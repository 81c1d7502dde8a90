"""A long training is asked to stop by a signal, and stops when its state is saved."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mast.errors import MastError

CAUGHT = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""What batch systems send before they kill (TERM, USR1, USR2), Ctrl-C (INT), and a terminal that closes (HUP)."""


class StoppedBySignalError(MastError):
    """A signal asked the run to stop; its state is saved."""


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Within the block the signals `CAUGHT` only set a flag, which the yielded function reads."""
    received: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: received.append(number)) for number in CAUGHT}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_stop_requests(_worker: int) -> None:
    """Let a process that loads data ignore the signals `CAUGHT`, which a whole job gets: its parent ends it."""
    for number in CAUGHT:
        signal.signal(number, signal.SIG_IGN)
