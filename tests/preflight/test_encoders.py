"""Encoders of timm that a detector cannot use are refused before anything runs."""

from pathlib import Path

import pytest
import torch

from mast.config.experiment import Experiment
from mast.errors import MastError
from mast.models.detector_c4 import SharedBackbone
from mast.models.encoder import build_encoder
from mast.models.ragged import Ragged
from mast.models.settings import EncoderSpec
from mast.preflight.experiment import check_experiment
from mast.settings import parse

PLAIN, ATTENTIVE = "timm/resnet10t", "timm/ecaresnetlight"


def experiment(tmp_path: Path, encoder: str, **protocol: object) -> Experiment:
    values = {
        "name": "mine",
        "results": str(tmp_path / "results"),
        "datasets": {
            "shapes": {"kind": "shapes", "train": 30, "test": 10, "size": 16},
            "scenes": {"kind": "shapes-scenes", "train": 12, "test": 4, "size": 48},
        },
        "pretrain": {"dataset": "shapes", "batch_size": 8, "encoder": {"name": encoder}},
        "runs": {"mine": {}},
        "protocols": {"found": {"kind": "detection", "batch_size": 4} | protocol},
        "studies": {"s": {"title": "", "protocol": "found", "tasks": ["scenes"], "runs": ["mine"]}},
    }
    return parse(Experiment, values, "test")


@pytest.mark.parametrize(("name", "fits"), [(PLAIN, True), ("timm/seresnet18", True), (ATTENTIVE, False)])
def test_the_plan_refuses_for_c4_what_cannot_take_images_of_several_sizes(
    tmp_path: Path, name: str, fits: bool
) -> None:
    """What the encoder does with images of two sizes is the oracle."""
    network = build_encoder(EncoderSpec(name=name)).eval()
    images = Ragged.of([torch.rand(1, 3, 40, 64), torch.rand(1, 3, 64, 40)])
    planned = experiment(tmp_path, name, architecture="c4", gpu_images=2)
    if fits:
        SharedBackbone(network, {"layer4": "0"})(images)
        check_experiment(planned)
        return
    with pytest.raises(MastError):
        SharedBackbone(network, {"layer4": "0"})(images)
    with pytest.raises(MastError, match=rf"^protocols\.found\.gpu_images: {name} asks for the size of its") as error:
        check_experiment(planned)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("protocol", [{"architecture": "fpn"}, {"architecture": "c4", "gpu_images": 4}])
def test_images_padded_to_one_size_need_no_such_encoder(tmp_path: Path, protocol: dict) -> None:
    check_experiment(experiment(tmp_path, ATTENTIVE, **protocol))
