"""CASSLE's projector reads each view's own parameters, and the loss is VICReg's on its output."""

import pytest
import torch
from support.methods import COUNT, drawn, images, learner_of, spec_of
from torch import nn

from mast.augment.description import colour_change, describe_view
from mast.augment.pairing import COMPOSED, draw_pair
from mast.augment.views import View
from mast.errors import MastError
from mast.objectives.vicreg import vicreg_terms

TOLD = {"condition": ["flip", "jitter"], "hidden": 8, "layers": 2}


def test_loss_is_vicregs_on_conditioned_embeddings() -> None:
    learner = learner_of(method="cassle")
    outcome = learner(images(), None, learner.draw(COUNT, drawn()))
    pair, z = draw_pair(learner.policy, COMPOSED, COUNT, drawn()), []
    for view in (pair.a, pair.b):
        features = learner.encoder(learner.view(View(images().float() / 255, view)))
        told = [describe_view(learner.policy, name, view) for name in ("crop", "jitter", "grayscale", "blur")]
        told.append(colour_change(learner.policy, images().float() / 255, view))
        z.append(learner.conditioned_projector(torch.cat((features, learner.reader(torch.cat(told, dim=1))), dim=1)))
    terms = vicreg_terms(*z)
    expected = 25 * terms["invariance"] + 25 * terms["variance"] + terms["covariance"]
    assert outcome.loss.item() == pytest.approx(expected.item(), rel=1e-4)


def test_networks_are_those_of_the_public_code() -> None:
    learner = learner_of(method="cassle")
    linear = [layer.weight.shape for layer in learner.reader if isinstance(layer, nn.Linear)]
    assert linear == [(64, 13), *[(64, 64)] * 5]
    assert all(layer.bias is None for layer in learner.reader if isinstance(layer, nn.Linear))
    assert isinstance(learner.reader[-1], nn.BatchNorm1d)
    assert learner.conditioned_projector[0].in_features == 10 + 64


def test_only_what_is_named_is_told() -> None:
    learner = learner_of(method="cassle", cassle=TOLD | {"colour_change": False})
    assert learner.reader[0].in_features == 5
    learner(images(), None, learner.draw(COUNT, drawn())).loss.backward()
    assert all(weights.grad is not None for weights in learner.parameters())


def test_what_is_told_must_be_drawn() -> None:
    with pytest.raises(MastError, match=r"cassle\.colour_change: 'jitter' is not in policy\.augmentations"):
        spec_of(method="cassle", policy={"augmentations": ["crop"]}, cassle={"condition": ["crop"]})
    with pytest.raises(MastError, match=r"cassle\.condition: 'blur' is not in policy\.augmentations"):
        spec_of(method="cassle", policy={"augmentations": ["crop", "jitter", "grayscale"]})
