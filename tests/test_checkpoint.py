"""Checkpoints belong to an identity: runs that share a directory keep, find and delete only their own."""

import logging
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mast.checkpoint import KEPT, Checkpoints

CPU = torch.device("cpu")
IDENTITIES = ({"spec": "a", "seed": 0}, {"spec": "b", "seed": 0}, {"spec": "a", "seed": 1})

Events = list[tuple[int, int, str]]


def save(directory: Path, identity: dict, *steps: int) -> Checkpoints:
    """Act as one process of a run that starts, looks for its checkpoints, and saves some."""
    checkpoints = Checkpoints(directory, identity)
    checkpoints.load(CPU)
    for step in steps:
        checkpoints.save(step, {"weights": torch.full((8,), float(step))})
    return checkpoints


def step_of(directory: Path, identity: dict) -> int | None:
    found = Checkpoints(directory, identity).load(CPU)
    return None if found is None else found["step"]


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@settings(deadline=None, max_examples=25, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(1, 400), st.sampled_from(["save", "save", "save", "finish", "damage"])
        ),
        max_size=12,
    )
)
def test_each_training_keeps_its_own_last_checkpoints_whatever_others_do(events: Events) -> None:
    """Trainings are started and stopped in any order, with any step numbers; each goes on from what it saved last."""
    with tempfile.TemporaryDirectory() as folder:
        kept: dict[int, list[int]] = defaultdict(list)
        for who, more, what in events:
            checkpoints = Checkpoints(Path(folder) / "checkpoints", IDENTITIES[who])
            found = checkpoints.load(CPU)
            assert (found["step"] if found else None) == (kept[who][-1] if kept[who] else None)
            if what == "save":
                step = (kept[who][-1] if kept[who] else 0) + more
                checkpoints.save(step, {"weights": torch.full((8,), float(step))})
                kept[who] = [*kept[who], step][-KEPT:]
            elif what == "finish":
                checkpoints.clear()
                kept[who] = []
            elif found:
                cut_off(checkpoints.newest())
                kept[who].pop()
            for each, steps in kept.items():
                newest = Checkpoints(Path(folder) / "checkpoints", IDENTITIES[each]).load(CPU)
                assert (newest["step"] if newest else None) == (steps[-1] if steps else None)
                if newest:
                    assert newest["identity"] == IDENTITIES[each]
                    assert newest["weights"].tolist() == [steps[-1]] * 8
        whole = [path for path in Path(folder).rglob("*.pt") if _is_whole(path)]
        assert len(whole) == sum(len(steps) for steps in kept.values())


def _is_whole(path: Path) -> bool:
    try:
        return bool(torch.load(path, weights_only=True))
    except RuntimeError:
        return False


def test_a_training_with_fewer_steps_than_a_stopped_one_goes_on_too(tmp_path: Path) -> None:
    """Stopped at step 389, begun again with another learning rate, stopped at step 72."""
    old, new = {"spec": "lr 0.3", "seed": 0}, {"spec": "lr 0.1", "seed": 0}
    save(tmp_path, old, 380, 389)
    for step in (40, 72, 95):
        save(tmp_path, new, step)
        assert step_of(tmp_path, new) == step
    assert step_of(tmp_path, old) == 389
    assert len(list(tmp_path.iterdir())) == 2 * KEPT


def test_two_trainings_at_the_same_step_do_not_replace_each_other(tmp_path: Path) -> None:
    first, second = ({"seed": seed} for seed in (0, 1))
    save(tmp_path, first, 5)
    save(tmp_path, second, 5, 6)
    assert (step_of(tmp_path, first), step_of(tmp_path, second)) == (5, 6)


def test_a_damaged_checkpoint_of_a_later_step_does_not_displace_those_that_are_saved_after_it(tmp_path: Path) -> None:
    own = {"seed": 0}
    save(tmp_path, own, 90, 100)
    cut_off(tmp_path / "step000000100.pt")
    save(tmp_path, own, 93, 96)
    cut_off(tmp_path / "step000000096.pt")
    assert step_of(tmp_path, own) == 93


def test_others_are_named_once_when_a_training_starts_and_when_it_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    save(tmp_path, {"seed": 0}, 7)
    assert caplog.messages == []
    checkpoints = save(tmp_path, {"seed": 1}, 3)
    checkpoints.newest()
    stays = f"{tmp_path}: 1 checkpoint of another run stays as before (other settings, data or seed)"
    assert caplog.messages == [f"{stays}, not taken over"]
    checkpoints.clear()
    assert caplog.messages[1:] == [f"{stays}; delete what is not needed"]
    assert [path.name for path in tmp_path.iterdir()] == ["step000000007.pt"]


def test_a_training_alone_leaves_nothing_behind(tmp_path: Path) -> None:
    checkpoints = save(tmp_path / "checkpoints", {"seed": 0}, 1, 2, 3)
    checkpoints.clear()
    assert not (tmp_path / "checkpoints").exists()


class _Own:
    """A class of another program."""


@pytest.mark.parametrize("state", [{"weights": torch.ones(2)}, torch.ones(2), [1], {"model": _Own()}])
def test_a_file_of_another_program_stays_as_that_of_another_run(tmp_path: Path, state: object) -> None:
    foreign = tmp_path / "step000000005.pt"
    torch.save(state, foreign)
    before = foreign.read_bytes()
    assert step_of(tmp_path, {"seed": 0}) is None
    checkpoints = save(tmp_path, {"seed": 0}, 4, 5)
    assert step_of(tmp_path, {"seed": 0}) == 5
    checkpoints.clear()
    assert [path.name for path in tmp_path.iterdir()] == [foreign.name] and foreign.read_bytes() == before
