"""The log of a run holds its own lines, and keeps an earlier run's until it has one."""

import json
from pathlib import Path

import pytest

from mast.pretraining.metrics_log import MetricsLog, Record

OLD = '{"step": 9}\n'


class Calls:
    """A follower that notes what it is told."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def restart(self, records: list[Record]) -> None:
        self.seen.append(f"restart {len(records)}")

    def add(self, record: Record) -> None:
        self.seen.append(f"add {record['step']}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The log of a finished run."""
    (tmp_path / "metrics.jsonl").write_text(OLD, encoding="utf-8")
    return tmp_path / "metrics.jsonl"


def steps_of(path: Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_log_of_a_finished_run_stays_until_the_new_run_has_a_line(path: Path) -> None:
    log = MetricsLog(path, calls := Calls())
    log.restart([])
    assert path.read_text(encoding="utf-8") == OLD and not log.records and not calls.seen
    log.add({"step": 1})
    log.add({"step": 2})
    assert steps_of(path) == [1, 2] and log.records == [{"step": 1}, {"step": 2}]
    assert calls.seen == ["restart 0", "add 1", "add 2"]


def test_a_run_that_resumes_begins_with_the_lines_of_its_checkpoint(path: Path) -> None:
    log = MetricsLog(path, calls := Calls())
    log.restart([])
    log.restart([{"step": 1}, {"step": 2}])
    log.add({"step": 3})
    assert steps_of(path) == [1, 2, 3] and calls.seen == ["restart 2", "add 3"]


def test_a_run_that_is_not_trained_has_an_empty_log(path: Path) -> None:
    MetricsLog(path).write()
    assert path.read_bytes() == b""


def test_a_first_run_has_a_log_at_once(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.restart([])
    assert (tmp_path / "metrics.jsonl").read_bytes() == b""
