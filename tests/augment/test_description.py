"""Descriptions of views and of pairs equal AugSelf's and CASSLE's, written out row by row."""

import math

import pytest
import torch

from mast.augment.description import colour_change, describe_difference, describe_view
from mast.augment.pairing import COMPOSED, Pair, draw_pair
from mast.augment.policy import Policy
from mast.augment.settings import PolicySpec

SPEC = PolicySpec.model_validate({"augmentations": "vicreg", "jitter": {"brightness": 1.5, "hue": 0.5}})
POLICY = Policy(SPEC, 224)


@pytest.fixture(scope="module")
def pair() -> Pair:
    return draw_pair(POLICY, COMPOSED, 64, torch.Generator().manual_seed(0))


def crop_by_hand(first: list[float], second: list[float], flipped: bool) -> list[float]:
    """`extract_diff`: both centres are mirrored where the first view is flipped."""
    centres = [[left + width / 2, top + height / 2] for left, top, width, height in (first, second)]
    if flipped:
        centres = [[1 - x, y] for x, y in centres]
    moved = [a - b for a, b in zip(*centres, strict=True)]
    return [*moved, first[2] - second[2], first[3] - second[3]]


def test_differences_of_crops_are_seen_from_the_first_view(pair: Pair) -> None:
    found = describe_difference(POLICY, "crop", pair.a, pair.b)
    rows = zip(pair.a["crop"][:, 1:].tolist(), pair.b["crop"][:, 1:].tolist(), pair.a["flip"][:, 0], strict=True)
    torch.testing.assert_close(found, torch.tensor([crop_by_hand(*row) for row in rows]))
    assert 10 < pair.a["flip"][:, 0].sum() < 54


def test_differences_of_jitter_are_over_its_ranges(pair: Pair) -> None:
    ranges = torch.tensor([2.5, 0.8, 0.4, 1.0])  # a factor of brightness is at least 0
    expected = (pair.a["jitter"][:, 1:] - pair.b["jitter"][:, 1:]) / ranges
    torch.testing.assert_close(describe_difference(POLICY, "jitter", pair.a, pair.b), expected)
    assert expected.abs().max() <= 1


def test_on_the_circle_both_ends_of_the_hue_are_one(pair: Pair) -> None:
    found = describe_difference(POLICY, "jitter", pair.a, pair.b, circular_hue=True)
    turn = pair.a["jitter"][:, 4] - pair.b["jitter"][:, 4]
    angle = torch.complex(found[:, 3], found[:, 4]).angle() / (2 * math.pi)
    torch.testing.assert_close((angle - turn).sub(0.5).remainder(1), torch.full((64,), 0.5), rtol=0, atol=1e-5)
    torch.testing.assert_close(found[:, :3], describe_difference(POLICY, "jitter", pair.a, pair.b)[:, :3])
    ends = [{"jitter": torch.tensor([[1.0, 1.0, 1.0, 1.0, turn]])} for turn in (0.5, -0.5)]
    same = describe_difference(POLICY, "jitter", *ends, circular_hue=True)
    torch.testing.assert_close(same, torch.tensor([[0.0, 0, 0, 1, 0]]))


@pytest.mark.parametrize("name", ["flip", "grayscale"])
def test_of_switches_only_equality_is_told(pair: Pair, name: str) -> None:
    found = describe_difference(POLICY, name, pair.a, pair.b)
    expected = [[float(a == b)] for a, b in zip(pair.a[name][:, 0], pair.b[name][:, 0], strict=True)]
    assert found.tolist() == expected
    assert torch.equal(describe_view(POLICY, name, pair.a), pair.a[name])


@pytest.mark.parametrize(("name", "most"), [("blur", 2.0), ("solarize", 0.5)])
def test_other_values_are_over_their_range_from_the_identity(pair: Pair, name: str, most: float) -> None:
    found = describe_difference(POLICY, name, pair.a, pair.b)
    torch.testing.assert_close(found, (pair.a[name][:, 1:] - pair.b[name][:, 1:]) / most)


@pytest.mark.parametrize("name", POLICY.names)
def test_differences_are_bounded_and_turn_round_with_the_views(pair: Pair, name: str) -> None:
    there, back = (describe_difference(POLICY, name, *views) for views in ((pair.a, pair.b), (pair.b, pair.a)))
    assert there.abs().max() <= 1
    if name == "crop":  # each seen from its own first view
        turned = (pair.a["flip"][:, 0] != pair.b["flip"][:, 0]).nonzero().squeeze(1)
        back[turned, 0] *= -1
    torch.testing.assert_close(there, back if POLICY.is_switch(name) else -back)


def test_a_view_is_described_as_it_is_seen(pair: Pair) -> None:
    left, top, width, height = pair.a["crop"][:, 1:].unbind(1)
    centre = torch.where(pair.a["flip"][:, 0] > 0, 1 - (left + width / 2), left + width / 2)
    torch.testing.assert_close(
        describe_view(POLICY, "crop", pair.a), torch.stack((centre, top + height / 2, width, height), dim=1)
    )
    without = Policy(PolicySpec(augmentations=("crop",)), 224).identity(2)
    assert describe_view(POLICY, "crop", without).tolist() == [[0.5, 0.5, 1, 1]] * 2


def test_the_change_of_colour_is_that_of_the_moved_image_under_jitter_alone() -> None:
    policy = Policy(SPEC, 12)
    images = torch.rand(6, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    params = policy.sample(6, 0, torch.Generator().manual_seed(1))
    found = colour_change(policy, images, params)
    for row in range(6):
        own = {name: values[row : row + 1] for name, values in params.items()}
        plain = policy.identity(1)
        moved = policy.apply(images[row : row + 1], plain | {name: own[name] for name in ("crop", "flip")})
        jittered = policy.apply(moved, plain | {"jitter": own["jitter"]})
        torch.testing.assert_close(found[row], (moved.mean(dim=(0, 2, 3)) - jittered.mean(dim=(0, 2, 3))))
    assert (found[params["jitter"][:, 0] == 0] == 0).all()


def test_a_range_of_one_value_says_nothing() -> None:
    policy = Policy(PolicySpec.model_validate({"augmentations": ["jitter"], "jitter": {"hue": 0}}), 8)
    assert (policy.describe("jitter", policy.sample(5, 0, torch.Generator().manual_seed(0)))[:, 3] == 0).all()
