"""State of each training run below a results directory, from its log."""

import json
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from mast.errors import MastError
from mast.results import Results, RunFiles

SILENT_AFTER = 120.0
"""Seconds without a new line, or ten times the usual interval between lines, after which a run counts as silent."""


NUMBERS = ("images", "loss", "images_per_second", "effective_rank", "knn")
"""Keys of a line that must be numbers if present."""

ORDER = ("running", "silent", "starting", "damaged", "queued", "done")

Training = tuple[str, str, str]
"""(dataset, run, seed)"""

NOTHING: Mapping[Training, str] = {}


@dataclass(frozen=True)
class RunState:
    """One training run, according to its last logged line."""

    dataset: str
    run: str
    seed: str
    status: str
    """`done`, `running`, `silent` (no new line for long: queued again, stopped or killed), `starting`, `damaged` (its
    log cannot be read), or `queued` (planned, and not started with these settings).
    """
    step: int | None = None
    steps: int | None = None
    images_per_second: float | None = None
    seconds_left: float | None = None
    loss: float | None = None
    knn: float | None = None
    effective_rank: float | None = None
    collapsed: tuple[str, ...] = ()
    """Indicators below their thresholds at the last line."""
    losses: tuple[float, ...] = ()
    """Finite losses of all lines, oldest first."""
    problem: str = ""
    """Description of the damage of a log."""


def run_states(root: Path, planned: Mapping[Training, str] = NOTHING, now: float | None = None) -> list[RunState]:
    """Return the training runs below a results directory: running ones first, then the others, by name.

    Args:
        root: a configuration's `results`.
        planned: the training runs that belong to it → the hash of their settings. Runs that are done with other
            settings count as queued. If it is empty, all runs that have begun are shown.
        now: seconds since the epoch, to recognise silent runs; the present time by default.

    Raises:
        MastError: nothing is planned, and there is no such directory, or nothing in it is of a workflow of `mast`.
    """
    if not planned and not root.is_dir():
        raise MastError(f"{root}: no such directory; give a configuration, or its `results`")
    found = list(root.glob(str(Results("").run("*", "*", "*").log)))
    if not planned and not found and not any((root / part).is_dir() for part in ("data", "logs", "pretrain")):
        raise MastError(f"{root}: not a results directory: it has no pretrain/, data/ or logs/")
    states = {training: RunState(*training, status="queued") for training in planned}
    for file in found:
        dataset, run, seed = file.parent.parts[-3:]
        training = (dataset, run, seed.removeprefix("seed"))
        with suppress(FileNotFoundError):  # it has been removed in the meantime
            state = _state(training, file, time.time() if now is None else now)
            if state.status != "done" or planned.get(training) in (None, _settings_hash(file)):
                states[training] = state
    return sorted(
        states.values(),
        key=lambda state: (ORDER.index(state.status), state.dataset, state.run, _number(state.seed)),
    )


def _state(names: Training, log: Path, now: float) -> RunState:
    try:
        lines = read_lines(log)
    except MastError as error:
        return RunState(*names, status="damaged", problem=str(error))
    done = RunFiles(log.parent).record.exists() and (not lines or lines[-1]["step"] >= lines[-1].get("steps", 0))
    if not lines:
        return RunState(*names, status="done" if done else "starting")
    last = lines[-1]
    return RunState(
        *names,
        status="done" if done else "running" if now - log.stat().st_mtime < _patience(lines) else "silent",
        step=last["step"],
        steps=last.get("steps"),
        images_per_second=last.get("images_per_second"),
        seconds_left=None if done else _seconds_left(last),
        loss=last.get("loss"),
        knn=next((line["knn"] for line in reversed(lines) if "knn" in line), None),
        effective_rank=last.get("effective_rank"),
        collapsed=tuple(last.get("collapsed", ())),
        losses=tuple(line["loss"] for line in lines if math.isfinite(line.get("loss", math.nan))),
    )


def _settings_hash(log: Path) -> str | None:
    """Return the hash of the settings with which a run ended, from its record."""
    try:
        return json.loads(RunFiles(log.parent).record.read_bytes())["spec_sha256"]
    except (OSError, ValueError, KeyError, TypeError):  # the code that needs the record reports what is wrong with it
        return None


def _seconds_left(last: dict[str, Any]) -> float | None:
    """Return the remaining seconds at the speed of the last line; None if it does not tell, or if nothing moves."""
    speed = last.get("images_per_second", 0)
    if not {"steps", "images"} <= last.keys() or speed <= 0:
        return None
    left = max(0, last["steps"] - last["step"]) * last["images"] / last["step"] / speed
    return left if left < timedelta.max.total_seconds() else None


def read_lines(log: Path) -> list[dict[str, Any]]:
    """Read the whole lines of a log that may be written at this moment; an incomplete last line is left out.

    Numbers that are null are left out too.

    Raises:
        MastError: the file cannot be read, or a whole line is not a JSON object with `step` and values of their types.
    """
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    except FileNotFoundError:
        raise
    except OSError as error:
        raise MastError(f"{log}: cannot be read ({error.strerror})") from None
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        record = {key: value for key, value in record.items() if value is not None} if type(record) is dict else {}
        if not _is_line(record):
            raise MastError(f"{log}: line {number} is not a line of a training's log; delete the file and train again")
        records.append(record)
    return records


def _is_line(record: dict[str, Any]) -> bool:
    counts = [record.get("step"), record.get("steps", 1)]
    numbers = [record[key] for key in NUMBERS if key in record]
    signs = record.get("collapsed", [])
    return (
        all(map(_is_count, counts))
        and all(isinstance(number, int | float) for number in numbers)
        and isinstance(signs, list)
        and all(isinstance(sign, str) for sign in signs)
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _patience(lines: list[dict[str, Any]]) -> float:
    """Return the number of seconds without a line that are not unusual."""
    last, before = lines[-1], lines[-2] if len(lines) > 1 else {"images": 0}
    if not last.get("images_per_second") or "images" not in last:
        return SILENT_AFTER
    return max(SILENT_AFTER, 10 * (last["images"] - before.get("images", 0)) / last["images_per_second"])


def _number(seed: str) -> tuple[int, str]:
    return (int(seed), "") if seed.isdecimal() else (0, seed)
