"""A line's speed is that of the images it timed, also in the first line after a run goes on from a checkpoint."""

import pytest
import torch

from mast.methods import Outcome
from mast.pretraining import window
from mast.pretraining.window import Window


def test_speed_after_a_resume_counts_the_images_since(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(window.time, "monotonic", lambda: clock[0])
    outcome = Outcome(torch.tensor(1.0), {}, torch.randn(8, 4))
    stopped = Window()
    for _ in range(99):
        clock[0] += 1
        stopped.add(outcome, 8, 0.1)
    resumed = Window()
    clock[0] += 50  # the data are opened, the checkpoint is read
    resumed.resume(stopped.state())
    for _ in range(2):
        clock[0] += 1
        resumed.add(outcome, 8, 0.1)
    assert resumed.close()["images_per_second"] == 8
    clock[0] += 4
    resumed.add(outcome, 8, 0.1)
    assert resumed.close()["images_per_second"] == 2
