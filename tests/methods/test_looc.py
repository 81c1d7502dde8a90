"""Leave-one-out subspaces: each space compares the pair that shares its augmentations, with VICReg's terms."""

import pytest
import torch
from support.methods import COUNT, drawn, images, learner_of, spec_of

from mast.augment.views import View
from mast.errors import MastError
from mast.methods.looc import Looc
from mast.objectives.vicreg import vicreg_terms

SPACES = [["flip"], ["jitter", "grayscale"]]


def test_loss_is_vicregs_over_the_pairs_of_the_paper() -> None:
    learner = learner_of(method="looc", looc={"spaces": SPACES})
    outcome = learner(images(), None, learner.draw(COUNT, drawn()))
    generator, floats = drawn(), images().float() / 255
    query = learner.policy.sample(COUNT, 0, generator)
    keys = [learner.policy.sample(COUNT, 1, generator) for _ in range(3)]
    for name in ("flip",):
        keys[1][name] = query[name]
    for name in ("jitter", "grayscale"):
        keys[2][name] = query[name]
    features = [learner.encoder(learner.view(View(floats, view))) for view in (query, *keys)]
    heads = [learner.projector, *learner.projectors]
    pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (2, 3)]  # space, key among the views
    expected = 0.0
    for space, key in pairs:
        terms = vicreg_terms(heads[space](features[0]), heads[space](features[key]))
        expected += (25 * terms["invariance"] + 25 * terms["variance"] + terms["covariance"]).item() / 3
    assert outcome.loss.item() == pytest.approx(expected, rel=1e-4)


def test_every_space_has_a_projector_that_is_trained() -> None:
    learner = learner_of(method="looc")
    assert len(learner.projectors) == 4  # mast5, with jitter and grayscale in one
    outcome = learner(images(), None, learner.draw(COUNT, drawn()))
    outcome.loss.backward()
    assert set(outcome.terms) == {"invariance", "variance", "covariance"}
    assert all(weights.grad is not None for weights in learner.parameters())


def test_a_space_does_not_see_what_its_pair_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """If all augmentations belong to one space, its key is its query, and its views are equal."""
    seen = []
    learner = learner_of(method="looc", looc={"spaces": [list(spec_of(method="looc").policy.names)]})
    embed = learner.method._embed
    monkeypatch.setattr(learner.method, "_embed", lambda *given: seen.append(embed(*given)) or seen[-1])
    learner(images(), None, learner.draw(COUNT, drawn()))
    (_, query), _, (_, key) = seen
    torch.testing.assert_close(query, key)


def test_encoder_and_first_projector_start_as_vicregs() -> None:
    ours, vicreg = learner_of(method="looc"), learner_of(method="vicreg")
    for name, weights in vicreg.named_parameters():
        torch.testing.assert_close(ours.get_parameter(name), weights, rtol=0, atol=0)


def test_by_default_each_augmentation_has_a_space_with_those_that_hide_it() -> None:
    def spaces(names: list[str], **own: object) -> list[list[str]]:
        spec = spec_of(method="looc", looc=own, policy={"augmentations": names})
        return [list(space) for space in Looc(spec)._spaces]

    assert spaces(["crop", "jitter", "grayscale", "blur"]) == [["crop"], ["jitter", "grayscale"], ["blur"]]
    assert spaces(["crop", "grayscale"]) == [["crop"], ["grayscale"]]
    assert spaces(["jitter", "grayscale"], spaces=[]) == [["jitter"], ["grayscale"]]


@pytest.mark.parametrize(
    ("spaces", "message"),
    [
        ([["flip"], []], r"looc\.spaces\.1: names no augmentation"),
        ([["solarize"]], r"looc\.spaces\.0: 'solarize' is not in policy\.augmentations"),
        ([["flop"]], r"looc\.spaces"),
    ],
)
def test_mistakes_are_named(spaces: list[list[str]], message: str) -> None:
    with pytest.raises(MastError, match=message):
        spec_of(method="looc", looc={"spaces": spaces})
