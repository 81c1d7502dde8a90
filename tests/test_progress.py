"""Progress is shown on a terminal and in a log file."""

import io
import re

import pytest

from mast import progress
from mast.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_log_has_a_line_every_ten_seconds_and_at_the_end(clock: Clock) -> None:
    log = io.StringIO()
    with Progress("pretrain", 1000, stream=log) as bar:
        for _ in range(10):
            clock.now += 4
            bar.update(100, "loss 1.5")
    assert log.getvalue().splitlines() == [
        "pretrain: 300/1000 images (30 %), 25 images/s, loss 1.5",
        "pretrain: 600/1000 images (60 %), 25 images/s, loss 1.5",
        "pretrain: 900/1000 images (90 %), 25 images/s, loss 1.5",
        "pretrain: 1000/1000 images (100 %), 25 images/s",
    ]


def test_log_says_where_an_error_stopped_it(clock: Clock) -> None:
    log = io.StringIO()
    with pytest.raises(ZeroDivisionError), Progress("detect", 10, "steps", stream=log) as bar:
        clock.now += 2
        bar.update(4)
        raise ZeroDivisionError
    assert log.getvalue() == "detect: 4/10 steps (40 %), 2 steps/s, stopped\n"


def test_terminal_shows_a_bar_with_a_rate() -> None:
    terminal = Terminal()
    with Progress("pretrain", 100, stream=terminal) as bar:
        bar.update(60, "loss 1.5")
        bar.update(40, "loss 1.0")
    shown = terminal.getvalue()
    assert "\r" in shown
    assert re.search(r"pretrain: 100%.*100/100 .*images/s", shown)
