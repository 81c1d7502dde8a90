"""VISSL's linear evaluation: the last stage at 2 × 2 positions, heads with batch norm, weight decay, every step."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from mast.checkpoint import Checkpoints
from mast.errors import MastError
from mast.evaluation.heads import GridFeatures, normalised_heads, parameter_groups
from mast.evaluation.images import LabelledImages
from mast.evaluation.sgd import Backbone, HeadTraining
from mast.models.encoder import build_encoder
from mast.models.settings import EncoderSpec
from mast.protocols.linear_sgd import LinearSgdProtocol

NARROW = EncoderSpec(name="resnet-narrow", stem="small", widths=(8, 8, 8, 16))
CHANNELS, CLASSES = 16, 3


@pytest.fixture
def encoder() -> nn.Module:
    torch.manual_seed(0)
    return build_encoder(NARROW).eval()


def vissl_head() -> nn.Sequential:
    """`eval_mlp` (facebookresearch/vissl, linear_eval_mlp.py), written down once more."""
    return nn.Sequential(nn.BatchNorm2d(CHANNELS), nn.Flatten(), nn.Linear(4 * CHANNELS, CLASSES))


def test_a_grid_of_seven_positions_is_vissls_pooling(encoder: nn.Module) -> None:
    """`AvgPool2d` of 6 with stride 1 and no padding."""
    maps: list[torch.Tensor] = []
    encoder.layer4.register_forward_hook(lambda _stage, _inputs, output: maps.append(output))
    grid = GridFeatures(encoder)
    features = grid(torch.rand(2, 3, 112, 112))
    assert maps[0].shape == (2, CHANNELS, 7, 7) and features.shape == (2, grid.num_features)
    torch.testing.assert_close(features, nn.AvgPool2d(6, 1, 0)(maps[0]).flatten(1), rtol=0, atol=0)


def test_a_map_of_one_position_is_one_line(encoder: nn.Module) -> None:
    with pytest.raises(MastError, match=r"pooling: grid needs 2 × 2 positions .* has 1 × 1") as error:
        GridFeatures(encoder)(torch.rand(1, 3, 8, 8))
    assert "\n" not in str(error.value)


def test_only_batch_norm_does_not_decay() -> None:
    """`regularize_bn: False`, `regularize_bias: True` (VISSL's files); heads without it are one group, as VICReg's."""
    decayed, kept = parameter_groups(normalised_heads(4 * CHANNELS, 4, [CLASSES, 2], "cpu"))
    assert kept["weight_decay"] == 0 and "weight_decay" not in decayed
    assert [tuple(weights.shape) for weights in kept["params"]] == [(CHANNELS,)] * 4
    assert [tuple(weights.shape) for weights in decayed["params"]] == [(3, 64), (3,), (2, 64), (2,)]
    plain = nn.ModuleList([nn.Linear(5, 2), nn.Linear(5, 3)])
    [group] = parameter_groups(plain)
    assert all(ours is theirs for ours, theirs in zip(group["params"], plain.parameters(), strict=True))


def test_every_step_is_that_of_torch_and_vissl(encoder: nn.Module, tmp_path: Path) -> None:
    """Steps, Nesterov's momentum, weight decay, scaled learning rate, batch norm: replayed with torch's own parts."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (20, 32, 32, 3), np.uint8)
    labelled = LabelledImages(images, np.arange(20)[:, None] % CLASSES, images[:2], np.zeros((2, 1), np.int64))
    spec = LinearSgdProtocol(
        kind="linear-sgd",
        **{"epochs": 5, "batch_size": 12, "lr_head": 0.4, "lr_batch": 24, "weight_decay": 0.1, "nesterov": True},
        **{"schedule": "steps", "milestones": (2, 4), "head": "normalised", "pooling": "grid"},
    )
    mean, std = torch.full((1, 3, 1, 1), 0.5), torch.full((1, 3, 1, 1), 0.25)
    backbone = Backbone(GridFeatures(encoder).eval(), mean, std, "cpu")
    heads, oracle = normalised_heads(backbone.model.num_features, 4, [CLASSES], "cpu"), vissl_head()
    oracle.load_state_dict(dict(zip(oracle.state_dict(), heads.state_dict().values(), strict=True)))
    training = HeadTraining("x", spec, backbone, heads, labelled, 0)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    rates: list[float] = []
    descend = training._descend

    def recorded(view: torch.Tensor, labels: torch.Tensor, *more: Any) -> torch.Tensor:
        seen.append((view, labels[:, 0]))
        rates.append(training._optimizer.param_groups[0]["lr"])
        return descend(view, labels, *more)

    training._descend = recorded
    training.run(Checkpoints(tmp_path / "kept", {}))
    assert rates == pytest.approx([0.2] * 4 + [0.02] * 4 + [0.002] * 2), "0.4 is for 24 images, a batch has 12"
    norm, linear = oracle[0], oracle[2]
    groups = [{"params": linear.parameters(), "weight_decay": 0.1}, {"params": norm.parameters(), "weight_decay": 0}]
    optimizer = torch.optim.SGD(groups, lr=0.2, momentum=0.9, nesterov=True)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [4, 8])
    for view, labels in seen:
        with torch.no_grad():
            features = backbone.features(view).unflatten(1, (CHANNELS, 2, 2))
        optimizer.zero_grad()
        functional.cross_entropy(oracle(features), labels).backward()
        optimizer.step()
        scheduler.step()
    for ours, theirs in zip(heads.state_dict().values(), oracle.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs)
