"""How far each training below a results directory has come, from its log."""

import json
import math
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mast.errors import MastError
from mast.results import Results, RunFiles

SILENT_AFTER = 120.0
"""Seconds without a new line, or ten times the usual distance of two lines, after which a training counts as silent."""


@dataclass(frozen=True)
class RunState:
    """One training, as its last logged line has it."""

    dataset: str
    run: str
    seed: str
    status: str
    """`done`, `running`, `silent` (no new line for long: queued again, stopped or killed), or `starting`."""
    step: int | None = None
    steps: int | None = None
    images_per_second: float | None = None
    seconds_left: float | None = None
    loss: float | None = None
    knn: float | None = None
    effective_rank: float | None = None
    collapsed: tuple[str, ...] = ()
    """The indicators that the last line found below their thresholds."""
    losses: tuple[float, ...] = ()
    """The finite losses of all lines, oldest first."""


def run_states(root: Path, now: float | None = None) -> list[RunState]:
    """The trainings below a results directory: those that run first, then the others, by name.

    Args:
        root: a configuration's `results`.
        now: seconds since the epoch, to tell silent trainings; the present time unless given.

    Raises:
        MastError: there is no such directory, or nothing in it is of a workflow of this project.
    """
    if not root.is_dir():
        raise MastError(f"{root}: no such directory; give a configuration's `results`")
    found = list(root.glob(str(Results("").run("*", "*", "*").log)))
    if not found and not any((root / part).is_dir() for part in ("data", "logs", "pretrain")):
        raise MastError(f"{root}: not a results directory: it has no pretrain/, data/ or logs/")
    states = []
    for file in found:
        with suppress(FileNotFoundError):  # it has been removed meanwhile
            states.append(_state(file, time.time() if now is None else now))
    order = ("running", "silent", "starting", "done")
    return sorted(states, key=lambda state: (order.index(state.status), state.dataset, state.run, _number(state.seed)))


def _state(log: Path, now: float) -> RunState:
    dataset, run, seed = log.parent.parts[-3:]
    names = (dataset, run, seed.removeprefix("seed"))
    lines = read_lines(log)
    done = RunFiles(log.parent).record.exists() and (not lines or lines[-1]["step"] >= lines[-1].get("steps", 0))
    if not lines:
        return RunState(*names, status="done" if done else "starting")
    last = lines[-1]
    speed, left = last.get("images_per_second"), None
    if not done and speed and {"steps", "images"} <= last.keys():
        left = (last["steps"] - last["step"]) * last["images"] / last["step"] / speed
    return RunState(
        *names,
        status="done" if done else "running" if now - log.stat().st_mtime < _patience(lines) else "silent",
        step=last["step"],
        steps=last.get("steps"),
        images_per_second=speed,
        seconds_left=left,
        loss=last.get("loss"),
        knn=next((line["knn"] for line in reversed(lines) if "knn" in line), None),
        effective_rank=last.get("effective_rank"),
        collapsed=tuple(last.get("collapsed", ())),
        losses=tuple(line["loss"] for line in lines if math.isfinite(line.get("loss", math.nan))),
    )


def read_lines(log: Path) -> list[dict[str, Any]]:
    """The whole lines of a log that may be written at this moment; a last line without its end is left out.

    Numbers that are null are left out too.

    Raises:
        MastError: a whole line is not a JSON object with `step`.
    """
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict) or not _is_count(record.get("step")):
            raise MastError(f"{log}: line {number} is not a line of a training's log; delete the file and train again")
        records.append({key: value for key, value in record.items() if value is not None})
    return records


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _patience(lines: list[dict[str, Any]]) -> float:
    """Seconds without a line that are nothing unusual."""
    last, before = lines[-1], lines[-2] if len(lines) > 1 else {"images": 0}
    if not last.get("images_per_second") or "images" not in last:
        return SILENT_AFTER
    return max(SILENT_AFTER, 10 * (last["images"] - before.get("images", 0)) / last["images_per_second"])


def _number(seed: str) -> tuple[int, str]:
    return (int(seed), "") if seed.isdecimal() else (0, seed)
