"""The set-up of a process that computes."""

import platform
import subprocess
import sys

import pytest

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
