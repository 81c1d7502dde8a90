"""A fast test that does what only slow ones may do fails, and the message tells what to do."""

import pytest
from support.guard import STEPS, Guard


class Item:
    """A test with these marks."""

    def __init__(self, *marks: str) -> None:
        self.marks = marks

    def get_closest_marker(self, name: str) -> str | None:
        return name if name in self.marks else None


def guard(*marks: str) -> Guard:
    started = Guard()
    started.start(Item(*marks))
    return started


def starts(*command: str) -> tuple[str, tuple[object, ...]]:
    return "subprocess.Popen", (command[0], list(command), None, None)


@pytest.mark.parametrize(
    "command", [("python", "-m", "snakemake", "all"), ("/usr/sbin/slurmctld",), ("mast", "pretrain", "--run", "x")]
)
def test_a_fast_test_starts_no_workflow_cluster_or_training(command: tuple[str, ...]) -> None:
    with pytest.raises(pytest.fail.Exception, match="mark it with pytest"):
        guard().on_event(*starts(*command))
    guard("slow").on_event(*starts(*command))


@pytest.mark.parametrize("command", [("git", "describe"), ("snakemake", "--help"), ("mast", "schema")])
def test_other_programs_may_run(command: tuple[str, ...]) -> None:
    guard().on_event(*starts(*command))


@pytest.mark.parametrize("marks", [(), ("slow",)])
def test_a_fast_test_does_a_few_steps_of_an_optimiser_at_most(marks: tuple[str, ...]) -> None:
    watched = guard(*marks)
    for _ in range(STEPS):
        watched.on_step()
    if marks:
        watched.on_step()
    else:
        with pytest.raises(pytest.fail.Exception, match="this test trains"):
            watched.on_step()
