"""SimCLR and Barlow Twins use VICReg's views and projector with the losses of mast/objectives/contrastive.py."""

import pytest
from support.methods import COUNT, drawn, embedded, images, learner_of, spec_of

from mast.augment.pairing import COMPOSED, draw_pair
from mast.errors import MastError
from mast.objectives.contrastive import barlow_twins_terms, nt_xent


def test_simclr_is_nt_xent_of_composed_pairs() -> None:
    learner = learner_of(method="simclr", simclr={"temperature": 0.3})
    outcome = learner(images(), None, learner.draw(COUNT, drawn()))
    (_, z_a), (_, z_b) = embedded(learner, draw_pair(learner.policy, COMPOSED, COUNT, drawn()))
    assert outcome.loss.item() == pytest.approx(nt_xent(z_a, z_b, 0.3).item(), rel=1e-5)
    assert outcome.embedding.square().sum(dim=1).tolist() == pytest.approx([8.0] * COUNT)


def test_barlow_twins_weighs_both_terms() -> None:
    learner = learner_of(method="barlow-twins", barlow_twins={"redundancy": 0.02})
    outcome = learner(images(), None, learner.draw(COUNT, drawn()))
    (_, z_a), (_, z_b) = embedded(learner, draw_pair(learner.policy, COMPOSED, COUNT, drawn()))
    terms = barlow_twins_terms(z_a, z_b)
    assert outcome.loss.item() == pytest.approx((terms["invariance"] + 0.02 * terms["redundancy"]).item(), rel=1e-5)


@pytest.mark.parametrize("method", ["simclr", "barlow-twins"])
def test_weights_of_vicreg_change_none_of_their_runs(method: str) -> None:
    assert spec_of(method=method, objective={"invariance": 3}) == spec_of(method=method)
    assert spec_of(method=method).objective is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "simclr", "simclr": {"temperature": 0}}, r"simclr\.temperature"),
        ({"method": "barlow-twins", "barlow_twins": {"lambda": 1}}, "unknown key 'lambda'"),
        ({"method": "simclr", "policy": {"augmentations": "none"}}, "needs at least one augmentation"),
    ],
)
def test_mistakes_are_named(settings: dict, message: str) -> None:
    with pytest.raises(MastError, match=message):
        spec_of(**settings)
