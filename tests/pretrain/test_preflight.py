"""What is refused before any training starts."""

from pathlib import Path

import pytest
from PIL import Image

from mast.config import FolderData, PretrainSpec, ShapesData, parse
from mast.config.plan import Plan
from mast.data.prepare import prepare
from mast.errors import MastError
from mast.pretrain.preflight import check_plan


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    prepare("shapes", ShapesData(kind="shapes", train=30, test=10, size=16), root / "shapes")
    images = tmp_path_factory.mktemp("unlabeled")
    for number in range(4):
        Image.new("RGB", (16, 16), (60 * number, 0, 0)).save(images / f"{number}.png")
    prepare("flat", FolderData(kind="folder", root=str(images), size=16), root / "flat")
    return root


def plan(tasks: tuple[str, ...] = ("shapes",), **settings: object) -> Plan:
    values = {"dataset": "shapes", "method": "vicreg", "batch_size": 8} | settings
    return Plan(runs={"mine": parse(PretrainSpec, values, "test").resolved()}, tasks=tasks)


@pytest.mark.parametrize("method", ["untrained", "supervised", "vicreg", "mast"])
def test_a_plan_that_works(data: Path, method: str) -> None:
    check_plan(plan(method=method), data)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": {"name": "resnet19"}}, r"runs\.mine: encoder\.name: .*'resnet19'.* 'resnet18'"),
        ({"encoder": {"name": "timm/resnet19"}}, r"runs\.mine: encoder\.name: timm has no model 'resnet19'"),
        ({"encoder": {"name": "timm/vit_tiny_patch16_224"}}, r"runs\.mine: encoder\.name: .* choose a ResNet"),
        ({"method": "untrained", "encoder": {"name": "resnet19"}}, r"runs\.mine: encoder\.name"),
        ({"batch_size": 31}, r"runs\.mine: batch_size: 31 is more than the 30 training images"),
        ({"dataset": "flat", "method": "supervised", "batch_size": 2}, r"runs\.mine: .*needs labels.*'flat'"),
        ({"tasks": ("shapes", "flat")}, r"datasets\.flat: a task needs labelled train and test images"),
        ({"tasks": ("missing",)}, r"missing.*manifest\.json"),
    ],
)
def test_a_plan_that_cannot_work_is_refused_in_one_line(data: Path, settings: dict, message: str) -> None:
    with pytest.raises(MastError, match=message) as error:
        check_plan(plan(**settings), data)
    assert "\n" not in str(error.value)
