"""Calls of several processes on GPUs, and their order, recorded by stand-ins: no GPU is needed."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import distributed, nn

from mast.config.pretrain import PretrainSpec
from mast.data.prepare import prepare
from mast.data.prepared.store import open_prepared
from mast.data.readers.shapes import ShapesData
from mast.distributed import ALONE, World, join, local_device
from mast.errors import MastError
from mast.methods import METHODS
from mast.pretraining import run
from mast.settings import parse


@pytest.fixture
def second_of_two(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize(("gpus", "device"), [(2, "cuda:1"), (8, "cuda:1"), (1, "cuda:0")])
def test_a_process_takes_the_gpu_of_its_local_rank(second_of_two: pytest.MonkeyPatch, gpus: int, device: str) -> None:
    second_of_two.setattr(torch.cuda, "device_count", lambda: gpus)
    assert local_device("cuda") == device
    assert local_device("cpu") == "cpu"


def test_more_processes_than_gpus_are_refused(second_of_two: pytest.MonkeyPatch) -> None:
    second_of_two.setenv("LOCAL_RANK", "3")
    second_of_two.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(MastError, match="LOCAL_RANK: 3, but this node shows 2 GPUs; start one process per GPU"):
        local_device("cuda")


def test_one_process_leaves_the_choice_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert local_device("cuda") == "cuda"


@pytest.mark.parametrize(
    ("device", "calls"),
    [
        ("cuda:1", ["set_device cuda:1", "init nccl", "group gloo", "destroy"]),
        ("cpu", ["init gloo", "group gloo", "destroy"]),
    ],
)
def test_the_gpu_is_set_before_nccl_starts(second_of_two: pytest.MonkeyPatch, device: str, calls: list[str]) -> None:
    seen: list[str] = []
    second_of_two.setattr(torch.cuda, "set_device", lambda device: seen.append(f"set_device {device}"))
    second_of_two.setattr(distributed, "init_process_group", lambda backend: seen.append(f"init {backend}"))
    second_of_two.setattr(distributed, "new_group", lambda backend: seen.append(f"group {backend}"))
    second_of_two.setattr(distributed, "destroy_process_group", lambda: seen.append("destroy"))
    second_of_two.setattr(distributed, "get_rank", lambda: 1)
    second_of_two.setattr(distributed, "get_world_size", lambda: 2)
    with join(torch.device(device)) as world:
        assert (world.rank, world.size, world.leads) == (1, 2, False)
    assert seen == calls


def test_batch_norm_is_synchronised_by_torch_on_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4)))
    weights = [model[1].weight, model[2][1].weight]
    monkeypatch.setattr(model, "parameters", lambda: iter([SimpleNamespace(is_cuda=True)]))
    World(1, 2).prepare(model)
    norms = [model[1], model[2][1]]
    assert [type(norm) for norm in norms] == [nn.SyncBatchNorm] * 2
    assert all(norm.weight is weight for norm, weight in zip(norms, weights, strict=True))


def test_batches_are_pinned_for_gpus_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prepare("shapes", ShapesData(kind="shapes", train=16, test=4, size=16), tmp_path / "data")
    spec = parse(PretrainSpec, {"dataset": "shapes", "method": "vicreg", "batch_size": 8}, "test").resolved()
    pinned = []
    monkeypatch.setattr(run, "TrainingBatches", lambda *arguments: pinned.append(arguments[-1]))
    for device in ("cuda:1", "cpu"):
        mean = SimpleNamespace(device=torch.device(device))
        learner = SimpleNamespace(spec=spec, method=METHODS["vicreg"](spec), mean=mean, world=ALONE)
        run._batches(learner, open_prepared(tmp_path / "data"), 0)
    assert pinned == [True, False]


def test_processes_that_share_a_gpu_name_their_backend(second_of_two: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    second_of_two.setattr(torch.cuda, "set_device", lambda device: None)
    second_of_two.setattr(distributed, "init_process_group", started.append)
    second_of_two.setattr(distributed, "new_group", lambda backend: None)
    second_of_two.setattr(distributed, "destroy_process_group", lambda: None)
    second_of_two.setattr(distributed, "get_rank", lambda: 1)
    second_of_two.setattr(distributed, "get_world_size", lambda: 2)
    with join(torch.device("cuda:0"), "gloo"):
        assert started == ["gloo"]


@pytest.mark.parametrize("count", [0, 1, 3, 8, 9])
@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_shares_cover_everything_once_in_order_and_the_first_process_has_no_less(count: int, size: int) -> None:
    things = list(range(count))
    shares = [things[World(rank, size).share(count)] for rank in range(size)]
    assert [thing for share in shares for thing in share] == things
    assert len(shares[0]) == max(map(len, shares)) <= min(map(len, shares)) + 1


def test_alone_what_is_gathered_is_ones_own() -> None:
    rows, weight = torch.rand(3, 2), nn.Parameter(torch.ones(2))
    assert ALONE.everyones("a") == ALONE.at_first("a") == ["a"]
    assert ALONE.rows_at_first(rows) is rows
    (loss := weight.sum()).backward()
    assert ALONE.add_up([weight], loss) == 2
    assert weight.grad.tolist() == [1, 1]
