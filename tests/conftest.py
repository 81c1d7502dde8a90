"""Fast and slow tests: `make check` runs those that neither train nor start a workflow or a cluster.

The others have the mark `slow`, or lie in a folder of slow ones. A test without it fails as soon as it does what only
slow tests do.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.finished import finished_results as finished_results  # a fixture
from support.guard import Guard

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: the workers of a run share the cores

SLOW_FOLDERS = {"extending": 1, "faults": 3}
"""Folder of slow tests → minutes that a file of it takes."""

TESTS = Path(__file__).parent
GUARD = Guard()
sys.addaudithook(GUARD.on_event)


class Watched:
    """Every test of a run, also those of the plugins, which lie in folders of their own."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        GUARD.see_optimizers()
        GUARD.start(item)
        result = yield
        GUARD.watching = False
        return result


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Watched())


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what `-m` does not ask for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the folders of slow tests, and lets the longest start first, so that no worker ends with one alone."""
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        if folder in SLOW_FOLDERS:
            item.add_marker(pytest.mark.slow(minutes=SLOW_FOLDERS[folder]))
    items.sort(key=_minutes, reverse=True)


def _minutes(item: pytest.Item) -> float:
    mark = item.get_closest_marker("slow")
    return 0 if mark is None else mark.kwargs.get("minutes", 0.5)


@pytest.fixture
def distinct_names(tmp_path: Path) -> None:
    """Skips where the file system takes names that differ by case or by the form of accents for one, as on macOS."""
    (tmp_path / "a distinct name").touch()
    if (tmp_path / "A DISTINCT NAME").exists():
        pytest.skip("the file system takes names that differ by case for one")
    (tmp_path / "a distinct name").unlink()
