"""`mast watch` shows the content of logs, also while they are written, and refuses other directories."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from support import ROOT

from mast.cli import main
from mast.config.load import load_experiment
from mast.config.plan import planned_trainings
from mast.errors import MastError
from mast.files import sha256_json
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
    console.print(picture(root, run_states(root, now=NOW), width, height))
    return console.file.getvalue()


def test_progress_time_left_and_signs_are_those_of_the_last_line(tmp_path: Path) -> None:
    lines = [line(10, knn=31.2), line(20, effective_rank=1.2, collapsed=["effective_rank"])]
    write(tmp_path, "mast", lines)
    (state,) = run_states(tmp_path, now=NOW)
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
    states = {state.run: state.status for state in run_states(tmp_path, now=NOW)}
    assert states == {"a-done": "done", "b-silent": "silent", "c-slow": "running", "d-starting": "starting"}
    assert next(iter(states)) == "c-slow"
    assert "1 running, 1 silent, 1 starting, 1 done" in shown(tmp_path)


def test_a_training_that_begins_anew_is_not_done(tmp_path: Path) -> None:
    """The record of the first time stays until the second has ended."""
    write(tmp_path, "mast", [line(10)]).with_name("run.json").write_text("{}", encoding="utf-8")
    assert [state.status for state in run_states(tmp_path, now=NOW)] == ["running"]


def test_logs_of_earlier_versions_are_shown(tmp_path: Path) -> None:
    old = [{"step": step, "loss": loss, "knn": None} for step, loss in ((1, 3.0), (2, float("nan")), (3, 2.0))]
    write(tmp_path / "[old]", "mast", old)
    text = shown(tmp_path / "[old]", 300)
    assert "step 3" in text
    assert "[old]" in text
    assert run_states(tmp_path / "[old]", now=NOW)[0].losses == (3.0, 2.0)


def test_seeds_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    for seed in (10, 9):
        write(tmp_path, "mast", [line(1)], seed=seed)
    assert [state.seed for state in run_states(tmp_path, now=NOW)] == ["9", "10"]


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    log = write(tmp_path, "mast", [line(10)])
    with log.open("a", encoding="utf-8") as file:
        file.write('{"step": 20, "los')
    assert [record["step"] for record in read_lines(log)] == [10]


@pytest.mark.parametrize(
    "text",
    [
        "not json\n",
        "[1]\n",
        '{"step": null}\n',
        '{"loss": 1}\n',
        '{"step": 1, "steps": 0}\n',
        '{"step": 1, "loss": "low"}\n',
        '{"step": 1, "images_per_second": [1]}\n',
        '{"step": 1, "collapsed": 3}\n',
        "\x00\xff\n",
    ],
)
def test_a_damaged_log_is_a_row_that_says_so(tmp_path: Path, text: str) -> None:
    log = write(tmp_path, "broken", [])
    log.write_text(text, encoding="utf-8")
    write(tmp_path, "mast", [line(10)])
    states = {state.run: state.status for state in run_states(tmp_path, now=NOW)}
    assert states == {"mast": "running", "broken": "damaged"}
    with pytest.raises(MastError, match=r"metrics.jsonl: line 1 is not a line of a training's log"):
        read_lines(log)
    text = " ".join(shown(tmp_path).split())
    assert "1 running, 1 damaged" in text
    assert "line 1 is not a line of a training's log; delete the file and train again" in text


def test_a_speed_that_cannot_be_is_no_time_left(tmp_path: Path) -> None:
    write(tmp_path, "still", [line(10, images_per_second=0.0)])
    write(tmp_path, "slow", [line(10, images_per_second=1e-300)])
    assert [state.seconds_left for state in run_states(tmp_path, now=NOW)] == [None, None]
    shown(tmp_path)


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


def test_a_crowded_table_goes_without_columns_and_cuts_nothing(tmp_path: Path) -> None:
    lines = [line(10, knn=55.5), line(20, effective_rank=1.0, collapsed=["effective_rank", "embedding_std"])]
    write(tmp_path, "mast-uncertainty", lines)
    other = write(tmp_path, "vicreg-crop-colour", [line(120)]).parents[2]
    other.rename(tmp_path / "pretrain/photographs")
    for width, left_out in ((200, []), (100, ["rank", "trend", "img/s"]), (80, ["kNN", "dataset"])):
        text = shown(tmp_path, width).split("\n", 2)[2]
        assert "…" not in text and "effective_rank +1" in text and "100 %" in text
        assert max(map(len, text.splitlines())) <= width
        assert not {*text.split("\n")[1].split()} & {*left_out}


def test_a_small_screen_shows_the_first_and_counts_the_others(tmp_path: Path) -> None:
    for seed in range(20):
        write(tmp_path, "mast", [line(1)], seed=seed)
    assert "15 more are not shown" in shown(tmp_path, height=12)


def test_into_a_file_it_writes_once_and_ends(tmp_path: Path) -> None:
    write(tmp_path, "mast", [line(1)])
    console = Console(file=io.StringIO(), width=100)
    watch(tmp_path, every=0.1, console=console)
    assert console.file.getvalue().count("img/s") == 1


def done(root: Path, run: str, settings: str = "a") -> None:
    record = {"spec_sha256": settings}
    write(root, run, [line(100)]).with_name("run.json").write_text(json.dumps(record), encoding="utf-8")


def planned(*runs: str) -> dict[tuple[str, str, str], str]:
    return {("shapes", run, "0"): "a" for run in runs}


def test_what_is_planned_is_queued_until_it_begins(tmp_path: Path) -> None:
    """The same holds for runs done with other settings, and before there is any directory."""
    assert [state.status for state in run_states(tmp_path / "none", planned("a", "b"))] == ["queued", "queued"]
    done(tmp_path, "a")
    done(tmp_path, "b", settings="of before")
    write(tmp_path, "c", [line(10)])
    states = {state.run: state.status for state in run_states(tmp_path, planned("a", "b", "c", "d"), now=NOW)}
    assert states == {"a": "done", "b": "queued", "c": "running", "d": "queued"}


def test_it_ends_when_all_that_is_planned_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done(tmp_path, "a")
    monkeypatch.setattr("mast.watch.screen.sleep", lambda seconds: done(tmp_path, "b"))
    console = Console(file=io.StringIO(), width=100, height=20, force_terminal=True)
    watch(tmp_path, planned("a", "b"), every=0.1, console=console)
    assert "1 queued, 1 done" in console.file.getvalue() and "2 done" in console.file.getvalue()


def test_what_a_configuration_plans_is_known_by_the_hash_of_its_record(tmp_path: Path) -> None:
    experiment = load_experiment(ROOT / "config/smoke.yaml")
    trainings = planned_trainings(experiment)
    assert {seed for _, run, seed in trainings if run == "mast"} == {"0", "1"}
    spec = experiment.pretrain_spec("mast")
    assert trainings["shapes", "mast", "0"] == sha256_json(spec.resolved().without_pace().model_dump(mode="json"))


def test_a_configuration_is_watched_before_it_has_begun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "config/smoke.yaml").read_text(encoding="utf-8")
    (tmp_path / "c.yaml").write_text(text.replace("results/smoke", str(tmp_path / "results")), encoding="utf-8")
    assert main(["watch", str(tmp_path / "c.yaml")]) == 0
    assert "queued" in capsys.readouterr().out
    assert main(["watch", str(tmp_path / "no.yaml")]) == 2


def test_ctrl_c_ends_it_without_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    write(tmp_path, "mast", [line(1)])
    monkeypatch.setattr("mast.watch.screen.sleep", interrupt)
    console = Console(file=io.StringIO(), width=100, height=20, force_terminal=True)
    watch(tmp_path, every=0.1, console=console)
    assert "1 %" in console.file.getvalue()
