"""Count the faults that are tried and survived, and print a line for each kind at the end."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

FAULT = "fault"


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Callable[[str], AbstractContextManager[None]]:
    """`with fault(name):` tries a fault once; it is survived if the block ends well."""

    @contextmanager
    def attempt(name: str) -> Iterator[None]:
        survived = 0
        try:
            yield
            survived = 1
        finally:
            request.node.user_properties.append((FAULT, [name, survived]))

    return attempt


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tried, survived = defaultdict(int), defaultdict(int)
    for reports in terminalreporter.stats.values():
        for report in reports:
            for key, value in getattr(report, "user_properties", ()) if getattr(report, "when", "") == "call" else ():
                if key == FAULT:
                    tried[value[0]] += 1
                    survived[value[0]] += value[1]
    if not tried:
        return
    width = max(len(name) for name in tried)
    terminalreporter.section("faults")
    terminalreporter.line(f"{'fault':{width}}  tried  survived  lost")
    for name, count in sorted(tried.items()):
        terminalreporter.line(f"{name:{width}}  {count:5}  {survived[name]:8}  {count - survived[name]:4}")
