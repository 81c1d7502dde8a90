"""`mast.MastLoss` computes what a step of the pipeline computes."""

from typing import Any

import pytest
import torch
from torch import Tensor

import mast
from mast.config.pretrain import PretrainSpec
from mast.distributed import ALONE
from mast.learner import Learner
from mast.methods import METHODS
from mast.settings import parse

SIZE, BATCH, WIDTH, DIMENSIONS = 16, 12, 8, 8
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
PAIRING = {"mixture": {"subset": 1.0, "composed": 1.0}, "subset_probability": 0.5}
VARIANTS = {
    "defaults": {},
    "relative": {"uncertainty": {"kind": "isotropic", "hidden": 4}},
    "likelihood": {"uncertainty": {"kind": "diagonal", "form": "likelihood", "hidden": 4}},
    "subspace": {"uncertainty": {"kind": "subspace", "hidden": 4}},
    "sparse": {"masks": {"kind": "sigmoid", "sparsity": 0.3, "variance": "masked", "covariance": "masked"}},
}


def learner(own: dict[str, Any]) -> Learner:
    values = {
        "dataset": "any",
        "method": "mast",
        "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 8, 8, WIDTH]},
        "projector": {"hidden": 8, "output": DIMENSIONS},
        "policy": {"augmentations": "mast15", "crop": {"scale": [0.3, 1.0]}},
        "objective": {"invariance": 10.0},
        "mast": {"pairing": PAIRING, **own},
    }
    spec = parse(PretrainSpec, values, "test").resolved()
    return Learner(METHODS["mast"](spec), SIZE, MEAN, STD, [], ALONE).train()


def ours(model: Learner, own: dict[str, Any]) -> mast.MastLoss:
    loss = mast.MastLoss(15, DIMENSIONS, WIDTH, weights={"invariance": 10.0}, **own)
    loss.masks.load_state_dict(model.masks.state_dict())
    if loss.uncertainty is not None:
        loss.uncertainty.load_state_dict(model.uncertainty.state_dict())
    return loss


@pytest.fixture
def images() -> Tensor:
    return torch.randint(0, 256, (BATCH, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("own", VARIANTS.values(), ids=VARIANTS.keys())
def test_loss_and_gradients_are_those_of_a_step(images: Tensor, own: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = learner(own)
    if hasattr(model, "uncertainty"):
        torch.nn.init.normal_(model.uncertainty.output.weight)  # its start, zero, would hide the features
    expected = model(images, None, model.draw(len(images), torch.Generator().manual_seed(5))).loss
    expected.backward()
    gradient = model.encoder.conv1.weight.grad.clone()

    pairs = mast.PairedAugmentation(
        SIZE, "mast15", settings={"crop": {"scale": (0.3, 1.0)}}, pairing=PAIRING, mean=MEAN, std=STD
    )
    loss = ours(model, own)
    model.zero_grad()
    a, b, active = pairs(images, torch.Generator().manual_seed(5))
    features_a, features_b = model.encoder(a), model.encoder(b)
    actual = loss(model.projector(features_a), model.projector(features_b), active, features_a, features_b)
    actual.backward()

    assert actual.item() == pytest.approx(expected.item(), rel=1e-6)
    torch.testing.assert_close(model.encoder.conv1.weight.grad, gradient, rtol=1e-4, atol=1e-6)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in loss.parameters() if p.requires_grad)


def test_masks_have_a_faster_rate_and_no_weight_decay() -> None:
    loss = mast.MastLoss(5, 8, 4, masks={"lr_factor": 7}, uncertainty={"kind": "isotropic"})
    masks, head = loss.parameter_groups(lr=0.01)
    assert masks["lr"] == pytest.approx(0.07)
    assert masks["weight_decay"] == 0
    assert {id(p) for group in (masks, head) for p in group["params"]} == {id(p) for p in loss.parameters()}


def test_masks_that_are_not_learned_are_in_no_group() -> None:
    assert mast.MastLoss(5, 8, masks={"kind": "none"}).parameter_groups(lr=0.01) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z_b": torch.zeros(4, 7)}, r"z_b: shape \(4, 7\); expected \(4, 8\)"),
        ({"active": torch.ones(4, 2, dtype=torch.bool)}, r"active: shape \(4, 2\); expected \(4, 5\)"),
        ({"features_b": None}, "features_a, features_b: both are needed"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Tensor | None], message: str) -> None:
    loss = mast.MastLoss(5, 8, 4, uncertainty={"kind": "isotropic"})
    features = torch.zeros(4, 4)
    batch = {"z_a": torch.randn(4, 8), "z_b": torch.randn(4, 8), "active": torch.ones(4, 5, dtype=torch.bool)}
    with pytest.raises(ValueError, match=message):
        loss(**(batch | {"features_a": features, "features_b": features} | change))


def test_one_pair_has_no_variance() -> None:
    with pytest.raises(ValueError, match="two or more"):
        mast.MastLoss(5, 8)(torch.zeros(1, 8), torch.zeros(1, 8), torch.ones(1, 5, dtype=torch.bool))


@pytest.mark.parametrize("wrong", [{"masks": {"keeps": 0.5}}, {"weights": {"invariance": -1}}])
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"keeps|invariance"):
        mast.MastLoss(5, 8, **wrong)


def test_uncertainty_needs_the_width_of_the_features() -> None:
    with pytest.raises(ValueError, match="features: the width"):
        mast.MastLoss(5, 8, uncertainty={"kind": "isotropic"})


def test_features_of_another_shape_are_named() -> None:
    loss = mast.MastLoss(2, 8, 6, uncertainty={"kind": "isotropic"})
    z, active = torch.zeros(4, 8), torch.ones(4, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"features_b: shape \(1, 6\); expected \(4, 6\)"):
        loss(z, z, active, torch.zeros(4, 6), torch.zeros(1, 6))


@pytest.mark.parametrize("shape", [(0, 8), (2, 0)])
def test_there_is_something_to_mask(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected 1 or more of each"):
        mast.MastLoss(*shape)
