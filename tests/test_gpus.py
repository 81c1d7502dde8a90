"""Processes of one machine share its GPUs, which are replaced by a list of names: no GPU is used."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mast.errors import MastError
from mast.gpus import take_gpus, visible_gpus

HOLD = """
import os
from mast.gpus import take_gpus
take_gpus({count})
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
os.execvp("cat", ["cat"])  # until standard input is closed
"""


@pytest.fixture
def holder(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a process that takes GPUs of three, becomes another program, and holds them until its input closes."""

    def start(count: int, listed: str = "0,1,2") -> subprocess.Popen[str]:
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": listed, "TMPDIR": str(tmp_path)}
        command = [sys.executable, "-c", HOLD.format(count=count)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)

    return start


def test_each_process_has_gpus_of_its_own_and_waits_for_them(holder: Callable[..., subprocess.Popen[str]]) -> None:
    first, second = holder(1), None
    taken = first.stdout.readline().strip()
    second = holder(2)
    others = second.stdout.readline().strip()
    assert sorted([taken, *others.split(",")]) == ["0", "1", "2"]
    third = holder(2)
    with pytest.raises(subprocess.TimeoutExpired):
        third.wait(3)
    second.communicate()
    assert third.stdout.readline().strip() == others
    for process in (first, third):
        process.communicate()


def test_what_a_scheduler_has_chosen_is_left_alone(holder: Callable[..., subprocess.Popen[str]]) -> None:
    both = [holder(2, "0,1"), holder(2, "0,1")]  # on SLURM each job may number its own GPUs from 0
    assert [process.stdout.readline().strip() for process in both] == ["0,1", "0,1"]
    for process in both:
        process.communicate()


@pytest.mark.parametrize(("listed", "names"), [("", []), ("-1", []), ("3, GPU-ab", ["3", "GPU-ab"])])
def test_visible_gpus_are_those_listed(monkeypatch: pytest.MonkeyPatch, listed: str, names: list[str]) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    assert visible_gpus() == names


def test_more_gpus_than_there_are_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(MastError, match=r"^gpus: 2 asked for, and 1 found here; ask for no more .*$"):
        take_gpus(2)
