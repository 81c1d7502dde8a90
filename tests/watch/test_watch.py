"""`mast watch` shows what the logs say, also while they are written, and refuses what is not of a workflow."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mast.errors import MastError
from mast.watch.screen import picture, watch
from mast.watch.state import read_lines, run_states

NOW = 1_000_000.0


def line(step: int, **more: Any) -> dict[str, Any]:
    return {"step": step, "steps": 100, "images": 8 * step, "loss": 50.0 - step, "images_per_second": 40.0, **more}


def write(root: Path, run: str, lines: list[dict[str, Any]], age: float = 1.0, seed: int = 0) -> Path:
    log = root / "pretrain" / "shapes" / run / f"seed{seed}" / "metrics.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text("".join(json.dumps(record) + "\n" for record in lines), encoding="utf-8")
    os.utime(log, (NOW - age, NOW - age))
    return log


def shown(root: Path, width: int = 120, height: int | None = None) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(picture(root, run_states(root, NOW), width, height))
    return console.file.getvalue()


def test_progress_time_left_and_signs_are_those_of_the_last_line(tmp_path: Path) -> None:
    lines = [line(10, knn=31.2), line(20, effective_rank=1.2, collapsed=["effective_rank"])]
    write(tmp_path, "mast", lines)
    (state,) = run_states(tmp_path, NOW)
    assert (state.status, state.step, state.steps, state.loss, state.knn) == ("running", 20, 100, 30.0, 31.2)
    assert state.seconds_left == pytest.approx(80 * 8 / 40)
    text = shown(tmp_path)
    assert all(part in text for part in ("mast", "running", "20 %", "0:00:16", "31.2", "effective_rank"))


def test_states_are_told_apart_and_those_that_run_come_first(tmp_path: Path) -> None:
    record = write(tmp_path, "a-done", [line(100)], age=9999).with_name("run.json")
    record.write_text("{}", encoding="utf-8")
    write(tmp_path, "b-silent", [line(10), line(20)], age=200)
    write(tmp_path, "c-slow", [line(10), line(20, images_per_second=1.0)], age=700)  # 80 s from line to line
    write(tmp_path, "d-starting", [])
    states = {state.run: state.status for state in run_states(tmp_path, NOW)}
    assert states == {"a-done": "done", "b-silent": "silent", "c-slow": "running", "d-starting": "starting"}
    assert next(iter(states)) == "c-slow"
    assert "1 running, 1 silent, 1 starting, 1 done" in shown(tmp_path)


def test_a_training_that_begins_anew_is_not_done(tmp_path: Path) -> None:
    """The record of the first time stays until the second has ended."""
    write(tmp_path, "mast", [line(10)]).with_name("run.json").write_text("{}", encoding="utf-8")
    assert [state.status for state in run_states(tmp_path, NOW)] == ["running"]


def test_logs_of_earlier_versions_are_shown(tmp_path: Path) -> None:
    old = [{"step": step, "loss": loss, "knn": None} for step, loss in ((1, 3.0), (2, float("nan")), (3, 2.0))]
    write(tmp_path / "[old]", "mast", old)
    text = shown(tmp_path / "[old]", 300)
    assert "step 3" in text
    assert "[old]" in text
    assert run_states(tmp_path / "[old]", NOW)[0].losses == (3.0, 2.0)


def test_seeds_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    for seed in (10, 9):
        write(tmp_path, "mast", [line(1)], seed=seed)
    assert [state.seed for state in run_states(tmp_path, NOW)] == ["9", "10"]


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    log = write(tmp_path, "mast", [line(10)])
    with log.open("a", encoding="utf-8") as file:
        file.write('{"step": 20, "los')
    assert [record["step"] for record in read_lines(log)] == [10]


@pytest.mark.parametrize("text", ["not json\n", "[1]\n", '{"step": null}\n', '{"loss": 1}\n'])
def test_a_file_that_is_no_log_is_named(tmp_path: Path, text: str) -> None:
    log = write(tmp_path, "mast", [])
    log.write_text(text, encoding="utf-8")
    with pytest.raises(MastError, match=r"metrics.jsonl: line 1 is not a line of a training's log"):
        run_states(tmp_path)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MastError, match="not a results directory"):
        run_states(tmp_path)
    with pytest.raises(MastError, match="no such directory"):
        run_states(tmp_path / "none")


def test_before_the_first_training_it_waits(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    assert "no training has started" in shown(tmp_path)


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_cut_at_usual_widths(tmp_path: Path, width: int) -> None:
    write(tmp_path, "mast-crop-colour", [line(10, knn=55.5), line(20, effective_rank=71.0)])
    text = shown(tmp_path, width)
    assert "…" not in text.replace(str(tmp_path)[:20], "")
    assert max(map(len, text.splitlines())) <= width


def test_a_small_screen_shows_the_first_and_counts_the_others(tmp_path: Path) -> None:
    for seed in range(20):
        write(tmp_path, "mast", [line(1)], seed=seed)
    assert "15 more are not shown" in shown(tmp_path, height=12)


def test_into_a_file_it_writes_once_and_ends(tmp_path: Path) -> None:
    write(tmp_path, "mast", [line(1)])
    console = Console(file=io.StringIO(), width=100)
    watch(tmp_path, every=0.1, console=console)
    assert console.file.getvalue().count("img/s") == 1


def test_on_a_terminal_it_ends_when_all_are_done(tmp_path: Path) -> None:
    write(tmp_path, "mast", [line(100)]).with_name("run.json").write_text("{}", encoding="utf-8")
    console = Console(file=io.StringIO(), width=100, height=20, force_terminal=True)
    watch(tmp_path, every=0.1, console=console)
    assert "1 done" in console.file.getvalue()


def test_ctrl_c_ends_it_without_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    write(tmp_path, "mast", [line(1)])
    monkeypatch.setattr("mast.watch.screen.time.sleep", interrupt)
    console = Console(file=io.StringIO(), width=100, height=20, force_terminal=True)
    watch(tmp_path, every=0.1, console=console)
    assert "1 %" in console.file.getvalue()
