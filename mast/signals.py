"""Signals that ask a long training run to stop; it stops after its state is saved."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mast.errors import MastError

CAUGHT = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that batch systems send before they kill (TERM, USR1, USR2), Ctrl-C (INT), and a closed terminal (HUP)."""


class StoppedBySignalError(MastError):
    """Raised when a signal stopped the run; its state is saved."""

    EXIT_STATUS = 75
    """EX_TEMPFAIL of sysexits.h: the same command may succeed later. A script can tell it from an error."""


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
    """Make a process that loads data ignore the signals `CAUGHT`, sent to the whole job; its parent ends it."""
    for number in CAUGHT:
        signal.signal(number, signal.SIG_IGN)
