"""A process that computes is set up correctly."""

import os
import platform
import subprocess
import sys

import pytest

from mast.cli import main
from mast.cli.program import _threads
from mast.runtime import choose_device

MEGABYTE = 2**20
RESIDENT_AFTER_FREEING = """
from pathlib import Path
from mast.runtime import set_up_process
{set_up}
import numpy as np
block = np.ones(64 * 2**20, dtype=np.uint8)
del block
print(int(Path("/proc/self/statm").read_text().split()[1]) * 4096)
"""


def run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_rule_decides_on_threads_not_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    program = "from mast.runtime import set_up_process; set_up_process(1); import torch; print(torch.get_num_threads())"
    assert run(program) == "1"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="tunes glibc's allocator")
def test_freed_memory_stays_in_the_process() -> None:
    plain, tuned = (int(run(RESIDENT_AFTER_FREEING.format(set_up=line))) for line in ("", "set_up_process(1)"))
    assert tuned - plain > 60 * MEGABYTE


@pytest.mark.parametrize(("gpus", "device"), [(0, "cpu"), (1, "cuda"), (4, "cuda")])
def test_device_follows_from_the_number_of_gpus(monkeypatch: pytest.MonkeyPatch, gpus: int, device: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus))))
    assert choose_device(gpus) == device


SPEC = {"pretrain": '{"dataset": "x"}', "evaluate": '{"kind": "semi-1"}'}
PLACES = {
    "pretrain": ["--run", "r", "--seed", "0", "--data", "d", "--output", "o"],
    "evaluate": ["--protocol", "p", "--seed", "0", "--encoder", "e", "--data", "d", "--output", "o"],
    "features": ["--encoder", "e", "--data", "d", "--output", "o"],
}


@pytest.mark.parametrize("command", PLACES)
def test_several_gpus_of_one_machine_are_given_to_torchrun(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes share the threads: a scheduler has counted them once."""
    given = [command, *(["--spec", SPEC[command]] if command in SPEC else []), *PLACES[command]]
    given += ["--gpus", "4", "--threads", "9"]
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    monkeypatch.setattr(sys, "argv", ["mast", *given])
    monkeypatch.setattr("mast.cli.program.set_up_process", lambda _threads: None)
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, command: commands.append(command) or sys.exit(0))
    with pytest.raises(SystemExit):
        main(given)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=4", "--module", "--", "mast.cli"]
    assert commands == [[sys.executable, *launcher, *given, "--threads", "2"]]
    assert _threads(commands[0][8:]) == 2


def test_processes_that_cannot_share_the_work_are_not_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of them would say so, and torchrun that they ended."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    monkeypatch.setattr("mast.cli.program.set_up_process", lambda _threads: None)
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("processes were started"))
    spec = '{"kind": "detection", "batch_size": 6}'
    assert main(["evaluate", "--spec", spec, *PLACES["evaluate"], "--gpus", "4"]) == 2
    assert "protocols.p.batch_size: 6 images cannot be shared out over 4 processes" in capsys.readouterr().err
