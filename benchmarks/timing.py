"""Times of tasks that take turns, so that other load on the machine affects all of them equally."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def clock() -> float:
    """Return seconds: of this process's CPU time, or on a GPU of wall time after all queued work."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def alternate(
    tasks: Mapping[str, Callable[[], object]], rounds: int, seconds: float, clock: Callable[[], float] = clock
) -> dict[str, float]:
    """Return the median time of each task over up to `rounds` rounds within about `seconds`; a round runs every task
    once.

    The first round warms up. It counts only if there is no time for another.
    """
    times: list[dict[str, float]] = []
    started = time.monotonic()
    while len(times) <= rounds and (not times or time.monotonic() - started < seconds):
        times.append({})
        for name, task in tasks.items():
            before = clock()
            task()
            times[-1][name] = clock() - before
    counted = times[1:] or times
    return {name: statistics.median(round_[name] for round_ in counted) for name in tasks}
