"""AugSelf's loss is VICReg's plus that of its heads, written out sample by sample; its settings are checked."""

import math

import numpy as np
import pytest
import torch
from support.methods import COUNT, drawn, embedded, images, learner_of, spec_of

from mast.augment.description import describe_difference
from mast.augment.pairing import COMPOSED, draw_pair
from mast.config.experiment import merge
from mast.errors import MastError
from mast.learner import Learner
from mast.objectives.vicreg import vicreg_terms

ALL = {"crop": 0.5, "flip": 2.0, "jitter": 1.0, "grayscale": 0.25, "blur": 3.0}


def losses_by_hand(learner: Learner, name: str) -> float:
    """Return the losses of one head over both orders, in float64, number by number."""
    pair = draw_pair(learner.policy, COMPOSED, COUNT, drawn())
    (a, _), (b, _) = embedded(learner, pair)
    circular = learner.spec.augself.hue == "circle"
    views = [(a, b, pair.a, pair.b), (b, a, pair.b, pair.a)]
    logits = learner.predictors[name](torch.cat([torch.cat((x, y), dim=1) for x, y, _, _ in views]))
    targets = torch.cat([describe_difference(learner.policy, name, p, q, circular) for _, _, p, q in views])
    losses = []
    for logit, target in zip(logits.flatten().tolist(), targets.flatten().tolist(), strict=True):
        right = 1 / (1 + math.exp(-logit))
        if name in ("flip", "grayscale"):
            losses.append(-target * math.log(right) - (1 - target) * math.log(1 - right))
        else:
            losses.append((math.tanh(logit) - target) ** 2)
    return float(np.mean(losses))


@pytest.mark.parametrize("hue", ["linear", "circle"])
def test_loss_is_vicregs_and_that_of_each_head(hue: str) -> None:
    learner = learner_of(method="augself", augself={"predict": ALL, "hue": hue, "hidden": 16})
    outcome = learner(images(), None, learner.draw(COUNT, drawn()))
    pair = draw_pair(learner.policy, COMPOSED, COUNT, drawn())
    terms = vicreg_terms(*(z for _, z in embedded(learner, pair)))
    expected = 25 * terms["invariance"] + 25 * terms["variance"] + terms["covariance"]
    for name, weight in ALL.items():
        by_hand = losses_by_hand(learner, name)
        assert outcome.terms[f"predict_{name}"].item() == pytest.approx(by_hand, rel=1e-4)
        expected += weight * by_hand
    assert outcome.loss.item() == pytest.approx(expected.item(), rel=1e-4)
    assert learner.predictors["jitter"][-1].out_features == (5 if hue == "circle" else 4)


def test_defaults_are_augselfs() -> None:
    learner = learner_of(method="augself")
    assert learner.spec.augself.predict == {"crop": 1.0, "jitter": 1.0}
    widths = [layer.weight.shape for layer in learner.predictors["crop"] if isinstance(layer, torch.nn.Linear)]
    assert widths == [(512, 20), (512, 512), (4, 512)]


def test_predictions_reach_the_encoder_through_both_views() -> None:
    learner = learner_of(method="augself", objective={"invariance": 0, "variance": 0, "covariance": 0})
    learner(images(), None, learner.draw(COUNT, drawn())).loss.backward()
    assert learner.encoder.conv1.weight.grad.abs().sum() > 0
    assert all(weights.grad.abs().sum() == 0 for weights in learner.projector.parameters())


def test_encoder_and_projector_start_as_vicregs() -> None:
    ours, vicreg = learner_of(method="augself"), learner_of(method="vicreg")
    for name, weights in vicreg.named_parameters():
        torch.testing.assert_close(ours.get_parameter(name), weights, rtol=0, atol=0)


def test_what_is_predicted_must_be_drawn() -> None:
    with pytest.raises(MastError, match=r"augself\.predict: 'crop' is not in policy\.augmentations"):
        spec_of(method="augself", policy={"augmentations": ["jitter"]})
    with pytest.raises(MastError, match=r"augself\.predict"):
        spec_of(method="augself", augself={"predict": {}})
    spec_of(method="vicreg", policy={"augmentations": ["jitter"]})


def test_a_run_replaces_what_others_predict() -> None:
    shared = {"augself": {"predict": {"crop": 1.0}, "hidden": 8}}
    assert merge(shared, {"augself": {"predict": {"flip": 2.0}}}) == {
        "augself": {"predict": {"flip": 2.0}, "hidden": 8}
    }


def test_the_order_of_the_keys_changes_nothing() -> None:
    settings = [{"predict": dict(order)} for order in (ALL.items(), reversed(ALL.items()))]
    learners = [learner_of(method="augself", augself=own) for own in settings]
    losses = [learner(images(), None, learner.draw(COUNT, drawn())).loss for learner in learners]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-6)
