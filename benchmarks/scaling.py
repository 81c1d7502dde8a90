"""Growth of the time and memory of a step, and the gain from a second process."""

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch

from benchmarks.memory import THREADS, in_new_process, peak_megabytes
from benchmarks.result import Section
from benchmarks.step import SIZE, default_spec, ours
from benchmarks.timing import clock
from mast.augment.settings import NAMES
from mast.models.settings import ProjectorSpec
from mast.runtime import set_up_process

BASE = {"K": 5, "d": 256, "n": 128, "px": SIZE}
GRID = {"K": (1, 5, 10, 15), "d": (256, 1024, 4096), "n": (64, 128, 256), "px": (32, 64, 96)}
STEPS = 3
SECONDS = 6.0


def measure(quick: bool) -> Section:
    base = ", ".join(f"{key} {value}" for key, value in BASE.items())
    section = Section("scaling", f"A MAST step in fp32, one thread; one value differs from {base}.")
    for key, values in GRID.items():
        for value in values:
            seconds, megabytes = in_new_process(cost_of_step, BASE | {key: value})
            section.add(f"{key} {value}", "step", 1e3 * seconds, "ms")
            section.add(f"{key} {value}", "memory", megabytes, "MB")
    for processes in (1, 2):
        with ProcessPoolExecutor(processes, get_context("spawn"), torch.set_num_threads, (THREADS,)) as pool:
            rates = pool.map(images_per_second, [time.time() + 8] * processes)
            section.add(f"{processes} process(es)", "together", sum(rates), "images/s")
    return section


def cost_of_step(case: dict[str, int]) -> tuple[float, float]:
    """Return the seconds of CPU time of a step, and the peak of its memory in MB."""
    epoch = _epoch(case)
    megabytes = peak_megabytes(epoch)
    set_up_process(THREADS)
    epoch()
    before = clock()
    epoch()
    return (clock() - before) / STEPS, megabytes


def images_per_second(start: float) -> float:
    """Return the throughput by the wall clock for some seconds from the time `start`, once all processes are ready."""
    set_up_process(THREADS)
    epoch = _epoch(BASE)
    epoch()
    time.sleep(max(0.0, start - time.time()))
    began, epochs = time.monotonic(), 0
    while time.monotonic() - began < SECONDS:
        epoch()
        epochs += 1
    return epochs * STEPS * BASE["n"] / (time.monotonic() - began)


def _epoch(case: dict[str, int]) -> Callable[[], None]:
    projector = ProjectorSpec(hidden=512, output=case["d"])
    spec = default_spec("mast", NAMES[: case["K"]], "fp32", batch_size=case["n"], projector=projector)
    return ours(spec, case["px"], STEPS)
