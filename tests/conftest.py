"""Fast tests and slow ones: `make check` runs those that neither train nor start a workflow or a cluster.

The others have the mark `slow`, or lie in a folder of slow ones. A test without it fails as soon as it does what only
slow tests do.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.finished import finished_results as finished_results  # a fixture

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: the workers of a run share the cores

SLOW_FOLDERS = {"extending": 1, "faults": 3, "slurm": 3}
"""Folder of slow tests → minutes that a file of it takes."""
SLOW_PROGRAMS = {"snakemake", "torchrun", "slurmctld"}
STEPS = 25
"""Of optimisers, that a fast test may do: enough to look at a step, too few to learn."""


class Guard:
    """What the running test does, where it is a fast one."""

    watching, steps, sees_optimizers = False, 0, False

    def start(self, item: pytest.Item) -> None:
        self.watching, self.steps = item.get_closest_marker("slow") is None, 0
        if "torch.optim.optimizer" in sys.modules and not self.sees_optimizers:
            sys.modules["torch.optim.optimizer"].register_optimizer_step_pre_hook(self.on_step)
            self.sees_optimizers = True

    def on_event(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.watching and event == "subprocess.Popen" and not isinstance(arguments[1], str | bytes):
            words = [os.fsdecode(word) for word in arguments[1]]
            started = {Path(word).name for word in words[:3]} & SLOW_PROGRAMS or {"pretrain"} & set(words)
            if started and "--help" not in words:
                self.refuse(f"starts {started.pop()}")

    def on_step(self, *_: object) -> None:
        self.steps += 1
        if self.watching and self.steps > STEPS:
            self.refuse("trains")

    def refuse(self, what: str) -> None:
        self.watching = False
        pytest.fail(f"this test {what}; mark it with pytest.mark.slow, so that `make check` leaves it out", False)


GUARD = Guard()
sys.addaudithook(GUARD.on_event)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    GUARD.start(item)
    result = yield
    GUARD.watching = False
    return result


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what `-m` does not ask for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the folders of slow tests, and lets the longest start first, so that no worker ends with one alone."""
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in SLOW_FOLDERS:
            item.add_marker(pytest.mark.slow(minutes=SLOW_FOLDERS[folder]))
    items.sort(key=_minutes, reverse=True)


def _minutes(item: pytest.Item) -> float:
    mark = item.get_closest_marker("slow")
    return 0 if mark is None else mark.kwargs.get("minutes", 0.5)
