"""Peak memory of a call."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from benchmarks.timing import DEVICE

THREADS = 1


def in_new_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run `function(*arguments)` in a separate process, whose memory no earlier work has grown."""
    with ProcessPoolExecutor(1, get_context("spawn"), torch.set_num_threads, (THREADS,)) as pool:
        return pool.submit(function, *arguments).result()


def peak_megabytes(task: Callable[[], object]) -> float:
    """Return the increase of memory at the peak of `task`, in MB (Linux, or a GPU's memory).

    On Linux freed blocks must return to the system, as they do in a new process without `set_up_process`.
    """
    if DEVICE.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        task()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak to the present size
    before = _status_megabytes("VmRSS")
    task()
    return _status_megabytes("VmHWM") - before


def _status_megabytes(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(key))
