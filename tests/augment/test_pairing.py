"""The two views of a pair share the right parameters."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mast.augment.pairing import COMPOSED, choose_redrawn, draw_pair
from mast.augment.policy import Policy
from mast.augment.settings import FIFTEEN, PairingSpec, PolicySpec
from mast.errors import MastError
from mast.settings import StrictModel, parse

COUNT = 64
KINDS = ["composed", "single", "crop_plus_one", "leave_one_out", "subset"]
CERTAIN = {name: {"probability": 1.0} for name in FIFTEEN}
ALWAYS = Policy(PolicySpec.model_validate(CERTAIN | {"augmentations": "mast15"}), 224)
name_sets = st.sets(st.sampled_from(FIFTEEN), min_size=1).map(
    lambda chosen: tuple(name for name in FIFTEEN if name in chosen)
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pairing(kind: str, **settings: Any) -> PairingSpec:
    return PairingSpec(mixture={kind: 1.0}, **settings)


@settings(max_examples=40, deadline=None)
@given(
    mixture=st.dictionaries(st.sampled_from(KINDS), st.floats(0.1, 3), min_size=1),
    names=name_sets,
    seed=st.integers(0, 2**31),
)
def test_active_says_where_the_views_differ(mixture: dict[str, float], names: tuple[str, ...], seed: int) -> None:
    policy = Policy(PolicySpec(augmentations=names), 224)
    pair = draw_pair(policy, PairingSpec(mixture=mixture), COUNT, generator(seed))
    assert pair.active.shape == (COUNT, len(names)) and pair.active.dtype == torch.bool
    for k, name in enumerate(names):
        different = (pair.a[name] != pair.b[name]).any(dim=1)
        if name == "blur":  # two that hardly differ in sigma make the same picture
            different &= (pair.a[name][:, 1] ** 2 - pair.b[name][:, 1] ** 2).abs() * 2 >= 0.5 / 255
        assert torch.equal(different, pair.active[:, k])


@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(KINDS), names=name_sets, seed=st.integers(0, 2**31))
def test_number_of_redrawn_augmentations(kind: str, names: tuple[str, ...], seed: int) -> None:
    chosen = choose_redrawn(names, pairing(kind, subset_probability=1.0), COUNT, generator(seed))
    total = len(names)
    expected = {
        "composed": total,
        "single": 1,
        "crop_plus_one": min(2, total) if "crop" in names else 1,
        "leave_one_out": max(1, total - 1),
        "subset": total,
    }[kind]
    assert (chosen.sum(dim=1) == expected).all()
    if kind == "crop_plus_one" and "crop" in names:
        assert chosen[:, names.index("crop")].all()


@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(["single", "crop_plus_one", "leave_one_out"]), names=name_sets, seed=st.integers(0, 2**31))
def test_groups_move_together(kind: str, names: tuple[str, ...], seed: int) -> None:
    groups = (("jitter", "grayscale"), ("rotate", "shear_x", "shear_y"), ("solarize", "posterize"))
    chosen = choose_redrawn(names, pairing(kind, groups=groups), COUNT, generator(seed))
    for group in groups:
        columns = chosen[:, [k for k, name in enumerate(names) if name in group]]
        assert (columns.all(dim=1) | ~columns.any(dim=1)).all()


def test_views_share_everything_but_one_group() -> None:
    spec = pairing("leave_one_out", groups=(("jitter", "grayscale"),))
    chosen = choose_redrawn(("crop", "jitter", "grayscale"), spec, 400, generator())
    rows = {tuple(row) for row in chosen.int().tolist()}
    assert rows == {(0, 1, 1), (1, 0, 0)}
    assert abs(chosen[:, 0].float().mean().item() - 0.5) < 5 * 0.5 / math.sqrt(400)


def test_every_augmentation_gets_its_turn() -> None:
    names = ("crop", "flip", "jitter", "blur")
    single = choose_redrawn(names, pairing("single"), 4000, generator()).float().mean(dim=0)
    plus = choose_redrawn(names, pairing("crop_plus_one"), 4000, generator()).float().mean(dim=0)
    torch.testing.assert_close(single, torch.full((4,), 0.25), rtol=0, atol=0.04)
    torch.testing.assert_close(plus, torch.tensor([1, 1 / 3, 1 / 3, 1 / 3]), rtol=0, atol=0.04)


def test_subset_redraws_each_with_its_own_probability() -> None:
    names = ("crop", "flip", "blur")
    spec = pairing("subset", subset_probability={"crop": 0.9, "blur": 0.0})
    share = choose_redrawn(names, spec, 4000, generator()).float().mean(dim=0)
    torch.testing.assert_close(share, torch.tensor([0.9, 0.75, 0.0]), rtol=0, atol=0.04)


def test_mixture_weights_are_the_shares_of_the_kinds() -> None:
    spec = PairingSpec(mixture={"leave_one_out": 1.0, "composed": 3.0})
    redrawn = choose_redrawn(("crop", "flip", "blur"), spec, 4000, generator()).sum(dim=1)
    assert set(redrawn.tolist()) == {2, 3}
    assert abs((redrawn == 3).float().mean().item() - 0.75) < 5 * math.sqrt(0.75 * 0.25 / 4000)


def test_composed_views_are_independent_and_follow_their_own_probabilities() -> None:
    spec = PolicySpec.model_validate({"augmentations": ["flip", "blur"], "blur": {"probability": (1.0, 0.1)}})
    pair = draw_pair(Policy(spec, 224), COMPOSED, 4000, generator())
    assert pair.a["blur"][:, 0].all()
    assert abs(pair.b["blur"][:, 0].mean().item() - 0.1) < 5 * math.sqrt(0.09 / 4000)
    # two independent fair coins differ in half of the pairs
    assert abs(pair.active[:, 0].float().mean().item() - 0.5) < 5 * 0.5 / math.sqrt(4000)
    assert pair.active[:, 1].all()


def test_composed_pairs_differ_in_everything_that_has_a_continuous_strength() -> None:
    pair = draw_pair(ALWAYS, COMPOSED, COUNT, generator())
    discrete = {"flip", "grayscale", "equalize", "autocontrast", "posterize", "solarize"}
    for k, name in enumerate(ALWAYS.names):
        assert name in discrete or pair.active[:, k].all()


def test_augmentations_applied_alike_in_both_views_are_not_active() -> None:
    pair = draw_pair(ALWAYS, COMPOSED, COUNT, generator())
    for name in ("flip", "grayscale", "equalize", "autocontrast"):
        assert not pair.active[:, ALWAYS.names.index(name)].any()


ASYMMETRIC = {
    "augmentations": "vicreg",
    "blur": {"probability": (1.0, 0.1)},
    "solarize": {"probability": (0.0, 0.2)},
    "grayscale": {"probability": (0.6, 0.2)},
}
"""VICReg's blur and solarize (augmentations.py), and a case in which neither view is sure."""

PROBABILITIES = {
    **{"crop": (1.0, 1.0), "flip": (0.5, 0.5), "jitter": (0.8, 0.8), "grayscale": (0.6, 0.2)},
    **{"blur": (1.0, 0.1), "solarize": (0.0, 0.2)},
}


@pytest.mark.parametrize("mixture", [*({kind: 1.0} for kind in KINDS), dict.fromkeys(KINDS, 1.0)])
def test_each_view_applies_each_augmentation_with_its_own_probability(mixture: dict[str, float]) -> None:
    policy, count = Policy(PolicySpec.model_validate(ASYMMETRIC), 224), 20_000
    pair = draw_pair(policy, PairingSpec(mixture=mixture), count, generator())
    for name, expected in PROBABILITIES.items():
        for params, probability in zip((pair.a, pair.b), expected, strict=True):
            # five standard deviations, as in tests of a policy
            tolerance = 5 * math.sqrt(probability * (1 - probability) / count)
            assert abs(params[name][:, 0].mean().item() - probability) <= tolerance, (name, probability)


def test_shared_augmentations_agree_wherever_both_views_apply_them() -> None:
    policy = Policy(PolicySpec.model_validate(ASYMMETRIC), 224)
    nothing = pairing("subset", subset_probability=0.0)
    pair = draw_pair(policy, nothing, 2000, generator())
    for k, name in enumerate(policy.names):
        a, b = pair.a[name], pair.b[name]
        both = (a[:, 0] > 0) & (b[:, 0] > 0)
        assert torch.equal(a[both], b[both])
        first, second = PROBABILITIES[name]
        assert (a[:, 0] >= b[:, 0]).all() if first >= second else (a[:, 0] <= b[:, 0]).all()
        assert abs(pair.active[:, k].float().mean().item() - abs(first - second)) < 5 * 0.5 / math.sqrt(2000)
        assert first != second or not pair.active[:, k].any()


def test_pairs_are_a_function_of_the_generator() -> None:
    spec = PairingSpec(mixture=dict.fromkeys(KINDS, 1.0))
    first, again = (draw_pair(ALWAYS, spec, COUNT, generator(5)) for _ in range(2))
    assert torch.equal(first.active, again.active)
    assert all(torch.equal(first.b[name], again.b[name]) for name in ALWAYS.names)


def test_a_policy_without_augmentations_has_pairs_without_active_ones() -> None:
    pair = draw_pair(Policy(PolicySpec(augmentations="none"), 8), COMPOSED, 3, generator())
    assert pair.active.shape == (3, 0)


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (
            PairingSpec,
            {"groups": [["jitter", "blur"], ["blur"]]},
            "config: groups: 'blur' stands in more than one place",
        ),
        (PolicySpec, {"crop": {"scale": [1.0, 0.2]}}, "config: crop.scale: the range's lower end comes first"),
        (PolicySpec, {"crop": {"scale": [0.2, 1.5]}}, "config: crop.scale.1: .*less than or equal to 1"),
    ],
)
def test_wrong_settings_are_named(model: type[StrictModel], values: dict[str, Any], message: str) -> None:
    with pytest.raises(MastError, match=message):
        parse(model, values, "config")
