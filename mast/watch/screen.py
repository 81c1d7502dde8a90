"""The states of trainings as a table for a terminal."""

import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mast.watch.state import RunState, run_states

Cell = Callable[[RunState], RenderableType]

BARS = "▁▂▃▄▅▆▇█"
TREND = 12
"""Characters of the trend of a loss."""

STYLES = {"running": "green", "silent": "yellow", "starting": "cyan", "done": "dim"}
LENGTH = 6
"""Characters of a bar."""

WIDE = 100
"""Columns of a terminal from which on trend and rank are shown too."""

AROUND = 7
"""Lines of the screen that are not rows: title, head, borders, summary."""


def watch(root: Path, every: float, once: bool = False, console: Console | None = None) -> None:
    """Show the trainings below a results directory until all are done or the user interrupts.

    Args:
        root: a configuration's `results`.
        every: seconds between two looks at the files.
        once: show them one time and return.
        console: where to write; standard output unless given.

    Raises:
        MastError: `root` is no results directory, or a log in it is damaged.
    """
    console = console or Console()
    states = run_states(root)
    if once or not console.is_terminal:
        console.print(picture(root, states, console.width))
        return
    first = picture(root, states, *console.size)
    with suppress(KeyboardInterrupt), Live(first, console=console, auto_refresh=False) as live:
        while not states or any(state.status != "done" for state in states):
            time.sleep(every)
            states = run_states(root)
            live.update(picture(root, states, *console.size), refresh=True)


def picture(root: Path, states: Sequence[RunState], width: int, height: int | None = None) -> Group:
    """The table and a summary; of more trainings than `height` lines have room for, the first, and how many more."""
    shown = states if height is None else states[: max(1, height - AROUND)]
    columns = _columns(states, width)
    table = Table(box=box.SIMPLE_HEAD, title=Text(str(root), style="bold"), title_justify="left", padding=(0, 1, 0, 0))
    for title, right, _ in columns:
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for state in shown:
        table.add_row(*(cell(state) for _, _, cell in columns))
    counts = Counter(state.status for state in states)
    summary = ", ".join(f"{counts[status]} {status}" for status in STYLES if counts[status])
    hidden = f"; {len(states) - len(shown)} more are not shown" if len(shown) < len(states) else ""
    line = f"{summary or 'no training has started'}{hidden}    {time.strftime('%H:%M:%S')}"
    return Group(table, Text(f" {line}", style="dim"))


def _columns(states: Sequence[RunState], width: int) -> list[tuple[str, bool, Cell]]:
    """Title, whether it is aligned to the right, and content of each column that has something to say and has room."""
    columns: list[tuple[str, bool, Cell, bool]] = [
        ("run", False, lambda state: state.run, True),
        ("dataset", False, lambda state: state.dataset, len({state.dataset for state in states}) > 1),
        ("seed", True, lambda state: state.seed, True),
        ("", False, lambda state: Text(state.status, style=STYLES[state.status]), True),
        ("progress", False, _progress, True),
        ("left", True, _left, any(state.seconds_left is not None for state in states)),
        ("img/s", True, lambda state: _number(state.images_per_second, 0), True),
        ("loss", True, lambda state: _number(state.loss, 2), True),
        ("", False, lambda state: Text(_trend(state.losses), style="blue"), width >= WIDE),
        ("kNN", True, lambda state: _number(state.knn, 1), any(state.knn is not None for state in states)),
        ("rank", True, lambda state: _number(state.effective_rank, 1), width >= WIDE),
        (
            "collapsed",
            False,
            lambda state: Text(", ".join(state.collapsed), style="bold red"),
            any(state.collapsed for state in states),
        ),
    ]
    return [column[:3] for column in columns if column[3]]


def _left(state: RunState) -> str:
    return "" if state.seconds_left is None else str(timedelta(seconds=round(state.seconds_left)))


def _progress(state: RunState) -> Text | str:
    """A bar and percent; the step alone where the log does not say of how many."""
    if state.step is None:
        return ""
    steps = state.step if state.status == "done" else state.steps
    if steps is None:
        return f"step {state.step}"
    filled, percent = LENGTH * state.step // steps, 100 * state.step // steps
    return Text.assemble(("━" * filled, "green"), ("━" * (LENGTH - filled), "bright_black"), f" {percent:3d} %")


def _trend(values: Sequence[float]) -> str:
    """The course of a loss in a few characters, each the mean of its share of the lines."""
    if len(values) < 2:
        return ""
    count = min(TREND, len(values))
    cuts = [len(values) * part // count for part in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(cuts)]
    low, high = min(means), max(means)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((mean - low) * scale)] for mean in means)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
