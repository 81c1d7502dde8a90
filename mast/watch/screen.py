"""The states of training runs as a table for a terminal."""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from time import sleep, strftime

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mast.watch.state import NOTHING, ORDER, RunState, Training, run_states

Cell = Callable[[RunState], RenderableType]

BARS = "▁▂▃▄▅▆▇█"
TREND = 12
"""Number of characters of the trend of a loss."""

STYLES = {
    **{"running": "green", "silent": "yellow", "starting": "cyan"},
    **{"damaged": "bold red", "queued": "dim", "done": "dim"},
}
LENGTH = 6
"""Number of characters of a progress bar."""

WIDE = 100
"""Terminal width, columns, from which trend and rank are shown too."""

PROBLEMS = 3
"""Number of damaged logs that are described in a line."""

HINT = "Ctrl-C ends this view, not the training runs"

LEFT_OUT = ("rank", "trend", "img/s", "kNN", "dataset", "left", "loss")
"""Columns that a narrow terminal leaves out, the first one first."""

AROUND = 7
"""Lines of the screen that are not rows: title, head, borders, summary."""


def watch(
    root: Path,
    planned: Mapping[Training, str] = NOTHING,
    every: float = 2.0,
    once: bool = False,
    console: Console | None = None,
) -> None:
    """Show the training runs of a results directory until all planned ones are done, or the user interrupts.

    Args:
        root: a configuration's `results`.
        planned: the training runs of the configuration → the hash of their settings. If it is empty, it is not known
            which runs will follow, and only the user ends the view.
        every: seconds between two updates.
        once: print the table once and return.
        console: console to write to; standard output by default.

    Raises:
        MastError: nothing is planned, and `root` is no results directory.
    """
    console = console or Console()
    states = run_states(root, planned)
    if once or not console.is_terminal:
        console.print(picture(root, states, console.width))
        return
    first = picture(root, states, *console.size)
    with suppress(KeyboardInterrupt), Live(first, console=console, auto_refresh=False) as live:
        while not planned or any(state.status != "done" for state in states):
            sleep(every)
            states = run_states(root, planned)
            live.update(picture(root, states, *console.size), refresh=True)


def picture(root: Path, states: Sequence[RunState], width: int, height: int | None = None) -> Group:
    """Return the table, a summary and the damaged logs; if not all runs fit into `height` lines, the first."""
    problems = [Text(f" {state.problem}", style="red") for state in states if state.problem][:PROBLEMS]
    around = AROUND + sum(math.ceil(len(problem) / width) for problem in problems)
    shown = states if height is None else states[: max(1, height - around)]
    columns = _columns(states, width)
    head = Text.assemble((f" {root}", "bold"), (f"   {HINT}" if height is not None else "", "dim"))
    head.truncate(width, overflow="ellipsis")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for title, right, _ in columns:
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for state in shown:
        table.add_row(*(cell(state) for _, _, cell in columns))
    counts = Counter(state.status for state in states)
    summary = ", ".join(f"{counts[status]} {status}" for status in ORDER if counts[status])
    hidden = f"; {len(states) - len(shown)} more are not shown" if len(shown) < len(states) else ""
    line = f"{summary or 'no training has started'}{hidden}    {strftime('%H:%M:%S')}"
    return Group(head, table, *problems, Text(f" {line}", style="dim"))


def _columns(states: Sequence[RunState], width: int) -> list[tuple[str, bool, Cell]]:
    """Return title, right alignment and cells of each column that has content and fits."""
    begun = any(state.step is not None for state in states)
    columns: list[tuple[str, bool, Cell, bool]] = [
        ("run", False, lambda state: state.run, True),
        ("dataset", False, lambda state: state.dataset, len({state.dataset for state in states}) > 1),
        ("seed", True, lambda state: state.seed, True),
        ("status", False, lambda state: Text(state.status, style=STYLES[state.status]), True),
        ("progress", False, _progress, begun),
        ("left", True, _left, any(state.seconds_left is not None for state in states)),
        ("img/s", True, lambda state: _number(state.images_per_second, 0), begun),
        ("loss", True, lambda state: _number(state.loss, 2), begun),
        ("trend", False, lambda state: Text(_trend(state.losses), style="blue"), begun and width >= WIDE),
        ("kNN", True, lambda state: _number(state.knn, 1), any(state.knn is not None for state in states)),
        ("rank", True, lambda state: _number(state.effective_rank, 1), begun and width >= WIDE),
        (
            "collapsed",
            False,
            lambda state: Text(_first_of(state.collapsed), style="bold red"),
            any(state.collapsed for state in states),
        ),
    ]
    found = [column[:3] for column in columns if column[3]]
    for name in LEFT_OUT:
        if _width(found, states) > width:
            found = [column for column in found if column[0] != name]
    return found


def _width(columns: list[tuple[str, bool, Cell]], states: Sequence[RunState]) -> int:
    """Return the width of the table: the widest cell of each column, and two blanks after each."""
    cells = ((title, *(str(cell(state)) for state in states)) for title, _, cell in columns)
    return 1 + sum(2 + max(map(cell_len, own)) for own in cells)


def _first_of(signs: Sequence[str]) -> str:
    return " ".join([*signs[:1], *[f"+{len(signs) - 1}"] * (len(signs) > 1)])


def _left(state: RunState) -> str:
    return "" if state.seconds_left is None else str(timedelta(seconds=round(state.seconds_left)))


def _progress(state: RunState) -> Text | str:
    """Return a bar and percent; only the step if the log does not contain the number of steps."""
    if state.step is None:
        return ""
    steps = state.step if state.status == "done" else state.steps
    if steps is None:
        return f"step {state.step}"
    step = min(state.step, steps)
    filled, percent = LENGTH * step // steps, 100 * step // steps
    return Text.assemble(("━" * filled, "green"), ("━" * (LENGTH - filled), "bright_black"), f" {percent:3d} %")


def _trend(values: Sequence[float]) -> str:
    """Return the course of a loss in a few characters, each the mean of its share of the lines."""
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
