"""Learning rates over epochs equal those of torch's schedulers and of VISSL's files."""

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, MultiStepLR

from mast.errors import MastError
from mast.evaluation.schedule import share
from mast.protocols import PlannedTask
from mast.protocols._sgd import SgdProtocol
from mast.protocols.linear_sgd import LinearSgdProtocol
from mast.protocols.semi_10 import Semi10Protocol
from mast.settings import parse

TEN = (0, 1, 3, 4, 5, 7, 8, 11, 12, 13)
"""Epochs, both sides of Places205's milestones among them."""


def steps(**settings: object) -> LinearSgdProtocol:
    return LinearSgdProtocol(kind="linear-sgd", schedule="steps", **settings)


def of_torch(scheduler: LRScheduler) -> list[float]:
    rates = []
    for _ in range(max(TEN) + 1):
        rates.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return rates


def optimizer() -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


@pytest.mark.parametrize("spec", [LinearSgdProtocol(kind="linear-sgd"), Semi10Protocol(kind="semi-10")])
def test_cosine_is_that_of_vicreg(spec: SgdProtocol) -> None:
    """facebookresearch/vicreg, evaluate.py: CosineAnnealingLR, stepped after each epoch."""
    theirs = of_torch(CosineAnnealingLR(optimizer(), spec.epochs))
    assert [share(spec, epoch) for epoch in TEN] == pytest.approx([theirs[epoch] for epoch in TEN], abs=1e-12)


def test_steps_are_those_of_torch_and_of_vissl() -> None:
    """facebookresearch/vissl, eval_resnet_8gpu_transfer_places205_linear.yaml: `values` and `milestones`."""
    values, milestones = [0.01, 0.001, 0.0001, 0.00001], (4, 8, 12)
    spec = steps(epochs=14, milestones=milestones, lr_head=values[0])
    ours = [spec.lr_head * share(spec, epoch) for epoch in range(14)]
    assert ours == pytest.approx([values[sum(epoch >= step for step in milestones)] for epoch in range(14)], rel=1e-12)
    theirs = of_torch(MultiStepLR(optimizer(), milestones, gamma=0.1))
    assert [share(spec, epoch) for epoch in TEN] == pytest.approx([theirs[epoch] for epoch in TEN], rel=1e-12)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"schedule": "steps"}, "milestones: schedule: steps needs the epochs"),
        ({"milestones": [3]}, "milestones: has no effect with schedule: cosine"),
        ({"schedule": "steps", "milestones": [8, 4]}, r"milestones: \[8, 4\] should ascend"),
        ({"schedule": "steps", "milestones": []}, "milestones: should have at least 1 entry"),
        ({"schedule": "steps", "milestones": [4], "gamma": 1}, "gamma: Input should be less than 1"),
    ],
)
def test_schedules_that_say_nothing_are_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(MastError, match=message):
        parse(LinearSgdProtocol, {"kind": "linear-sgd", **values}, "protocols.x")


def test_steps_after_the_end_are_named() -> None:
    task = PlannedTask("any", 10, lambda: None, False)
    assert not list(steps(epochs=14, milestones=(4, 12)).doubts(task))
    [(key, line)] = steps(epochs=12, milestones=(4, 12)).doubts(task)
    assert key == "milestones" and "training ends after 12 epochs, before 12" in line
    [(key, line)] = LinearSgdProtocol(kind="linear-sgd", gamma=0.5).doubts(task)
    assert key == "gamma" and "has no effect with schedule: cosine" in line


def test_what_older_results_record_stays() -> None:
    plain = LinearSgdProtocol(kind="linear-sgd").model_dump(mode="json")
    assert plain.keys() == {"split", "kind", "epochs", "batch_size", "lr_head", "weight_decay", "crop", "flip"}
    assert steps(epochs=9, milestones=(4,)).model_dump(mode="json")["milestones"] == [4]
