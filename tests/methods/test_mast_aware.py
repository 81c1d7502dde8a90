"""The loss of MAST-aware by hand: spaces, masked features, unexplained shares. Without them it is VICReg's."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score
from support.methods import COUNT, drawn, images, learner_of, spec_of

from mast.augment.description import describe_difference
from mast.augment.policy import Params
from mast.augment.settings import SETS
from mast.augment.views import View
from mast.errors import MastError
from mast.learner import Learner
from mast.methods.mast_aware import MastAware, press, unexplained
from mast.models.encoder_file import save_weights
from mast.models.projector import load_projector
from mast.objectives.vicreg import vicreg_terms

BLOCKS = {"flip": slice(0, 2), "jitter": slice(2, 4)}
"""Blocks of the ten features of the tiny encoder, with 0.4 of them free."""
OWN = {"weight": 3, "space_weight": 0.5, "free": 0.4, "hidden": 16}
SPACES = [["flip"], ["jitter", "grayscale"]]
"""Spaces that are used if the settings leave them out."""


def draw_by_hand(learner: Learner, spaces: list[list[str]]) -> list[Params]:
    """Draw a query, a key that differs in all, and for each space a key that shares its augmentations."""
    generator = drawn()
    query = learner.policy.sample(COUNT, 0, generator)
    keys = [learner.policy.sample(COUNT, 1, generator) for _ in range(1 + len(spaces))]
    for key, space in zip(keys[1:], spaces, strict=True):
        for name in space:
            key[name] = query[name]
    return [query, *keys]


def masked_by_hand(features: torch.Tensor) -> torch.Tensor:
    masked = features.clone()
    for block in BLOCKS.values():
        masked[:, block] = 0
    return masked


def shares_by_hand(learner: Learner, name: str, pair: list[Params], a: torch.Tensor, b: torch.Tensor) -> list[float]:
    """Return that head's loss over the best constant's, for each number over both orders, in float64."""
    a, b = a[:, BLOCKS[name]], b[:, BLOCKS[name]]
    views = [(a, b, *pair), (b, a, *reversed(pair))]
    logits = learner.predictors[name](torch.cat([torch.cat((x, y), dim=1) for x, y, _, _ in views])).double()
    targets = torch.cat([describe_difference(learner.policy, name, p, q, True) for _, _, p, q in views]).double()
    shares = []
    for column in range(targets.shape[1]):
        mean, losses, constants = targets[:, column].mean().item(), [], []
        for logit, target in zip(logits[:, column].tolist(), targets[:, column].tolist(), strict=True):
            if name == "flip":
                losses.append(-math.log(1 / (1 + math.exp(-logit if target else logit))))
                constants.append(-math.log(mean if target else 1 - mean))
            else:
                losses.append((math.tanh(logit) - target) ** 2)
                constants.append((mean - target) ** 2)
        shares.append(sum(losses) / sum(constants))
    return shares


@pytest.mark.parametrize("spaces", [[], SPACES])
def test_loss_is_that_of_masked_features_of_spaces_and_of_what_is_unexplained(spaces: list[list[str]]) -> None:
    learner = learner_of(method="mast-aware", mast_aware=OWN | {"spaces": spaces})
    optimizer = torch.optim.Adam(learner.predictors["jitter"].parameters(), lr=0.02)
    for _ in range(20):  # so that the head of jitter explains something, and that of flip nothing
        optimizer.zero_grad()
        learner(images(), None, learner.draw(COUNT, drawn())).terms["unexplained_jitter"].backward()
        optimizer.step()
    outcome = learner(images(), None, learner.draw(COUNT, drawn()))
    assert outcome.terms["unexplained_jitter"] < 0.95 < 1 < outcome.terms["unexplained_flip"]
    views = draw_by_hand(learner, spaces)
    features = [learner.encoder(learner.view(View(images().float() / 255, params))) for params in views]
    core = [learner.projector(masked_by_hand(own)) for own in features]
    pairs = [(1.0, core[0], key) for key in core[1:]]
    pairs += [(0.5, head(features[0]), head(features[2 + place])) for place, head in enumerate(heads_of(learner))]
    expected = 0.0
    for weight, *pair in pairs:
        terms = vicreg_terms(*pair)
        sum_of_terms = 25 * terms["invariance"] + 25 * terms["variance"] + terms["covariance"]
        expected += weight * sum_of_terms / (1 + len(spaces))
    for name in BLOCKS:
        by_hand = shares_by_hand(learner, name, views[:2], *features[:2])
        assert outcome.terms[f"unexplained_{name}"].item() == pytest.approx(np.mean(by_hand), rel=1e-4)
        expected += np.mean([3 / (1 + 10 * max(0, 1 - share)) * share for share in by_hand])
    assert outcome.loss.item() == pytest.approx(expected.item(), rel=1e-4)
    assert len(pairs) == 1 + 2 * len(spaces) and set(learner.predictors) == set(BLOCKS)


def heads_of(learner: Learner) -> list[torch.nn.Module]:
    """Return the projectors of the spaces; a learner without spaces has none."""
    return list(getattr(learner, "projectors", []))


def spaces_of(policy: list[str] | None = None, **own: object) -> list[list[str]]:
    """Spaces of MAST-aware with these settings and this policy."""
    others = {} if policy is None else {"policy": {"augmentations": policy}}
    return [list(space) for space in MastAware(spec_of(method="mast-aware", mast_aware=own, **others))._spaces]


def test_crops_and_each_augmentation_that_is_predicted_have_a_space_with_those_that_hide_it() -> None:
    assert spaces_of() == [["crop"], *SPACES]
    assert spaces_of(spaces=None) == SPACES
    assert spaces_of(["flip", "blur"]) == [["flip"]]
    assert spaces_of(predict=["crop", "flip"]) == [["crop"], ["flip"]]


def test_without_predictions_and_spaces_it_is_vicreg() -> None:
    ours = learner_of(method="mast-aware", mast_aware={"weight": 0, "spaces": []})
    vicreg = learner_of(method="vicreg")
    assert ours.state_dict().keys() == vicreg.state_dict().keys()
    outcomes = [learner(images(), None, learner.draw(COUNT, drawn())) for learner in (ours, vicreg)]
    assert torch.equal(outcomes[0].loss, outcomes[1].loss) and outcomes[0].terms == outcomes[1].terms
    for outcome in outcomes:
        outcome.loss.backward()
    for name, weights in vicreg.named_parameters():
        assert torch.equal(ours.get_parameter(name).grad, weights.grad)


def test_encoder_and_projector_start_as_vicregs() -> None:
    ours, vicreg = learner_of(method="mast-aware"), learner_of(method="vicreg")
    for name, weights in vicreg.named_parameters():
        assert torch.equal(ours.get_parameter(name), weights)


def test_predictions_reach_the_encoder_through_both_views_and_not_the_projector() -> None:
    learner = learner_of(method="mast-aware", objective={"invariance": 0, "variance": 0, "covariance": 0})
    learner(images(), None, learner.draw(COUNT, drawn())).loss.backward()
    assert learner.encoder.conv1.weight.grad.abs().sum() > 0
    assert all(weights.grad.abs().sum() == 0 for weights in learner.projector.parameters())


def test_a_block_is_not_asked_to_be_invariant() -> None:
    learner = learner_of(method="mast-aware", mast_aware=OWN)
    features = torch.randn(4, 10, requires_grad=True)
    learner.projector(learner.feature_masks(features)).square().sum().backward()
    blocks = sorted(place for block in BLOCKS.values() for place in range(10)[block])
    assert (features.grad[:, blocks] == 0).all() and (features.grad[:, 4:] != 0).any()


def test_masks_are_stored_with_the_heads() -> None:
    learner = learner_of(method="mast-aware", mast_aware=OWN)
    masks = learner.method.stored(learner)["feature_masks.masks"]
    expected = torch.ones(5, 10)
    for name, block in BLOCKS.items():
        expected[learner.policy.names.index(name), block] = 0
    assert torch.equal(masks, expected)


def test_the_projector_that_is_read_from_the_heads_gives_the_embeddings_of_training(tmp_path: Path) -> None:
    learner = learner_of(method="mast-aware", mast_aware=OWN)
    save_weights(tmp_path / "heads.safetensors", learner.method.stored(learner), {})
    learner.eval()
    features = torch.randn(4, 10)
    projector = load_projector(tmp_path / "heads.safetensors", 10, learner.spec.projector)
    torch.testing.assert_close(projector(features), learner.projector(learner.feature_masks(features)))
    assert not torch.allclose(projector(features), learner.projector(features))


def test_unexplained_share_is_one_minus_r_squared() -> None:
    rng = np.random.default_rng(0)
    target = rng.uniform(-0.9, 0.9, (30, 4))
    logits = np.arctanh(target) + rng.normal(0, 0.3, target.shape)
    ours = unexplained(torch.tensor(logits), torch.tensor(target), is_switch=False)
    assert ours.tolist() == pytest.approx(1 - r2_score(target, np.tanh(logits), multioutput="raw_values"), rel=1e-9)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_what_is_pressed_for_is_the_logarithm_of_what_is_explained(share: float) -> None:
    unexplained_share = torch.tensor(share, dtype=torch.float64, requires_grad=True)
    (ours,) = torch.autograd.grad(press(unexplained_share, 2.0) * unexplained_share, unexplained_share)
    logarithm = -2.0 * 0.1 * (0.1 + 1 - unexplained_share).log()
    torch.testing.assert_close(ours, torch.autograd.grad(logarithm, unexplained_share)[0])


def test_a_prediction_that_explains_nothing_is_pressed_with_the_whole_weight() -> None:
    assert press(torch.tensor(1.0), 2.0).item() == press(torch.tensor(1.7), 2.0).item() == 2.0
    assert press(torch.tensor(0.9), 2.0).item() == pytest.approx(1.0)


def test_the_best_constant_leaves_all_unexplained() -> None:
    numbers, switch = torch.tensor([[0.2], [-0.4], [0.5]]), torch.tensor([[1.0], [0.0], [1.0], [1.0]])
    constant = numbers.mean().atanh().expand_as(numbers), switch.mean().logit().expand_as(switch)
    assert unexplained(constant[0], numbers, is_switch=False).item() == pytest.approx(1, rel=1e-5)
    assert unexplained(constant[1], switch, is_switch=True).item() == pytest.approx(1, rel=1e-5)


def test_of_a_number_that_is_the_same_everywhere_nothing_is_to_be_explained() -> None:
    same, logits = torch.ones(4, 1), torch.zeros(4, 1, requires_grad=True)
    for is_switch in (True, False):
        share = unexplained(logits, same, is_switch)
        assert share.item() == 0
        assert not torch.autograd.grad(share.sum(), logits)[0].any()
    learner = learner_of(method="mast-aware", policy={"jitter": {"hue": 0}})
    assert learner(images(), None, learner.draw(COUNT, drawn())).terms["unexplained_jitter"] < 10


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


@pytest.mark.parametrize(("free", "width"), [(0.0625, 1), (0.39, 1), (0.4, 2)])
def test_blocks_are_of_equal_width_and_at_least_one_feature(free: float, width: int) -> None:
    masks = learner_of(method="mast-aware", mast_aware={"free": free}).feature_masks.masks
    assert (1 - masks).sum(dim=1).tolist() == [0, width, width, 0, 0]
    assert (1 - masks).sum(dim=0).max() == 1


def test_some_features_are_left_for_what_is_invariant() -> None:
    widths = {"encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 6, 8, 2]}}
    with pytest.raises(MastError, match=r"mast_aware\.predict: 2 augmentations are predicted, and the encoder has 2 f"):
        learner_of(method="mast-aware", **widths)


@pytest.mark.parametrize(
    ("own", "message"),
    [({}, r"none of policy\.augmentations can be undone"), ({"predict": []}, "names nothing")],
)
def test_something_is_predicted(own: dict[str, object], message: str) -> None:
    with pytest.raises(MastError, match=rf"mast_aware\.predict: {message}; .* or set mast_aware\.weight to 0"):
        spec_of(method="mast-aware", policy={"augmentations": ["crop", "blur"]}, mast_aware=own)
    spec_of(method="mast-aware", policy={"augmentations": ["crop", "blur"]}, mast_aware={"weight": 0})


@pytest.mark.parametrize(("spaces", "message"), [([["solarize"]], "'solarize' is not in policy"), ([[]], "names no")])
def test_a_space_shares_what_is_drawn(spaces: list[list[str]], message: str) -> None:
    with pytest.raises(MastError, match=rf"mast_aware\.spaces\.0: {message}"):
        spec_of(method="mast-aware", mast_aware={"spaces": spaces})
