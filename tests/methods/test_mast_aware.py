"""MAST-aware is MAST and what its heads leave unexplained, written out; with weight 0 it is MAST, bit by bit."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score
from support.methods import COUNT, drawn, embedded, images, learner_of, spec_of

from mast.augment.description import describe_difference
from mast.augment.pairing import COMPOSED, draw_pair
from mast.augment.settings import SETS
from mast.errors import MastError
from mast.learner import Learner
from mast.methods.mast_aware import MastAware, unexplained
from mast.objectives.vicreg import vicreg_terms

MASKED = {
    "pairing": {"mixture": {"subset": 1}},
    "masks": {"kind": "topk", "keep": 0.7},
    "uncertainty": {"kind": "subspace"},
}


def share_by_hand(learner: Learner, name: str) -> float:
    """That head's loss over the best constant's, over both orders, in float64, number by number."""
    pair = draw_pair(learner.policy, COMPOSED, COUNT, drawn())
    (a, _), (b, _) = embedded(learner, pair)
    views = [(a, b, pair.a, pair.b), (b, a, pair.b, pair.a)]
    logits = learner.predictors[name](torch.cat([torch.cat((x, y), dim=1) for x, y, _, _ in views])).double()
    targets = torch.cat([describe_difference(learner.policy, name, p, q, True) for _, _, p, q in views]).double()
    losses, constants = [], []
    for column in range(targets.shape[1]):
        mean = targets[:, column].mean().item()
        for logit, target in zip(logits[:, column].tolist(), targets[:, column].tolist(), strict=True):
            if name == "flip":
                losses.append(-math.log(1 / (1 + math.exp(-logit if target else logit))))
                constants.append(-math.log(mean if target else 1 - mean))
            else:
                losses.append((math.tanh(logit) - target) ** 2)
                constants.append((mean - target) ** 2)
    return float(np.mean(losses) / np.mean(constants))


@pytest.mark.parametrize("explained", [1.0, 0.5])
def test_loss_is_vicregs_and_what_is_unexplained_beyond_what_may_be(explained: float) -> None:
    learner = learner_of(method="mast-aware", mast_aware={"weight": 3, "explained": explained, "hidden": 16})
    optimizer = torch.optim.Adam(learner.predictors["jitter"].parameters(), lr=0.02)
    for _ in range(20):  # so that the head of jitter explains more than half, and that of flip does not
        optimizer.zero_grad()
        learner(images(), None, drawn()).terms["unexplained_jitter"].backward()
        optimizer.step()
    outcome = learner(images(), None, drawn())
    pair = draw_pair(learner.policy, COMPOSED, COUNT, drawn())
    terms = vicreg_terms(*(z for _, z in embedded(learner, pair)))
    expected = 25 * terms["invariance"] + 25 * terms["variance"] + terms["covariance"]
    for name in ("flip", "jitter"):
        by_hand = share_by_hand(learner, name)
        assert outcome.terms[f"unexplained_{name}"].item() == pytest.approx(by_hand, rel=1e-4)
        expected += 3 * max(0, by_hand - (1 - explained))
    assert outcome.loss.item() == pytest.approx(expected.item(), rel=1e-4)
    assert set(learner.predictors) == {"flip", "jitter"}
    assert outcome.terms["unexplained_jitter"] < 0.5 < outcome.terms["unexplained_flip"]


@pytest.mark.parametrize("own", [{}, MASKED])
def test_with_weight_0_it_is_mast(own: dict[str, object]) -> None:
    base = own or {"pairing": {"mixture": {"composed": 1}}, "masks": {"kind": "none"}}
    ours = learner_of(method="mast-aware", mast_aware={**own, "weight": 0})
    mast = learner_of(method="mast", mast=base)
    outcomes = [learner(images(), None, drawn()) for learner in (ours, mast)]
    assert ours.state_dict().keys() == mast.state_dict().keys()
    assert torch.equal(outcomes[0].loss, outcomes[1].loss) and outcomes[0].terms == outcomes[1].terms
    for outcome in outcomes:
        outcome.loss.backward()
    for name, weights in mast.named_parameters():
        gradients = ours.get_parameter(name).grad, weights.grad
        assert gradients == (None, None) or torch.equal(*gradients)


def test_predictions_leave_the_start_of_all_else_as_it_is() -> None:
    ours, mast = learner_of(method="mast-aware", mast_aware=MASKED), learner_of(method="mast", mast=MASKED)
    for name, weights in mast.named_parameters():
        assert torch.equal(ours.get_parameter(name), weights)


def test_predictions_reach_the_encoder_through_both_views() -> None:
    learner = learner_of(method="mast-aware", objective={"invariance": 0, "variance": 0, "covariance": 0})
    learner(images(), None, drawn()).loss.backward()
    assert learner.encoder.conv1.weight.grad.abs().sum() > 0
    assert all(weights.grad.abs().sum() == 0 for weights in learner.projector.parameters())


@pytest.mark.parametrize("columns", [1, 4])
def test_unexplained_share_is_one_minus_r_squared(columns: int) -> None:
    rng = np.random.default_rng(columns)
    target = rng.uniform(-0.9, 0.9, (30, columns))
    logits = np.arctanh(target) + rng.normal(0, 0.3, target.shape)
    r_squared = r2_score(target, np.tanh(logits), multioutput="variance_weighted")
    ours = unexplained(torch.tensor(logits), torch.tensor(target), is_switch=False)
    assert ours.item() == pytest.approx(1 - r_squared, rel=1e-9)


def test_the_best_constant_leaves_all_unexplained() -> None:
    numbers, switch = torch.tensor([[0.2], [-0.4], [0.5]]), torch.tensor([[1.0], [0.0], [1.0], [1.0]])
    constant = numbers.mean().atanh().expand_as(numbers), switch.mean().logit().expand_as(switch)
    assert unexplained(constant[0], numbers, is_switch=False).item() == pytest.approx(1, rel=1e-5)
    assert unexplained(constant[1], switch, is_switch=True).item() == pytest.approx(1, rel=1e-5)


def test_a_batch_in_which_nothing_differs_is_finite() -> None:
    same = torch.ones(4, 1)
    for is_switch in (True, False):
        assert unexplained(same, same, is_switch).isfinite()


def test_what_can_be_undone_is_predicted() -> None:
    spec = spec_of(method="mast-aware", policy={"augmentations": "mast15"})
    undone = ["flip", "rotate", "shear_x", "shear_y", "translate_x", "translate_y", "jitter"]
    assert MastAware(spec)._names == undone
    assert set(SETS["mast15"]) - set(undone) == {
        *("crop", "grayscale", "blur", "posterize", "solarize", "equalize", "autocontrast", "sharpness")
    }


def test_what_is_predicted_must_be_drawn() -> None:
    with pytest.raises(MastError, match=r"mast_aware\.predict: 'crop' is not in policy\.augmentations"):
        spec_of(method="mast-aware", policy={"augmentations": ["jitter"]}, mast_aware={"predict": ["crop"]})
