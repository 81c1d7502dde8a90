"""An augmentation is active in a pair exactly where it changes the images."""

import pytest
import torch
from torch import Tensor

from mast.augment.pairing import COMPOSED, draw_pair
from mast.augment.policy import Params, Policy
from mast.augment.settings import NAMES, PolicySpec

COUNT, SIDE = 400, 32


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def alone(name: str, side: int, **settings: object) -> Policy:
    values = {"augmentations": [name], name: {"probability": 0.7} | settings}
    return Policy(PolicySpec.model_validate(values), side)


def muted(side: int) -> Tensor:
    """Without the darkest and the brightest values, so that sharpness and contrast can grow."""
    return torch.randint(40, 200, (1, 3, side, side), generator=generator(0), dtype=torch.uint8)


def stark(side: int) -> Tensor:
    """Black and white, which shows the smallest blur."""
    return torch.randint(0, 2, (1, 3, side, side), generator=generator(1), dtype=torch.uint8) * 255


def distances(policy: Policy, a: Params, b: Params) -> Tensor:
    """The largest difference between the two pictures of 8 bits of each pair, over both kinds of image; levels, [N]."""
    found = []
    for image in (muted(policy.image_size), stark(policy.image_size)):
        views = [policy.apply(image.expand(COUNT, -1, -1, -1), params).mul(255).round() for params in (a, b)]
        found.append((views[0] - views[1]).abs().amax(dim=(1, 2, 3)))
    return torch.stack(found).amax(dim=0)


@pytest.mark.parametrize("name", NAMES)
def test_active_pairs_look_different_and_others_alike(name: str) -> None:
    policy = alone(name, SIDE)
    pair = draw_pair(policy, COMPOSED, COUNT, generator(2))
    active, distance = pair.active[:, 0], distances(policy, pair.a, pair.b)
    assert active.any() and not active.all()
    assert (distance[active] == 0).float().mean() < 0.01
    assert (distance[~active] <= 1).all()  # a change of less than half a level may still cross a rounding


@pytest.mark.parametrize("settings", [{}, {"kernel": 9, "reference_size": 96}], ids=["pillow", "kernel"])
def test_blurs_too_small_to_act_are_not_active(settings: dict[str, object]) -> None:
    """At 32 pixels some are: the default's sigma starts at 1/70 pixel."""
    policy = alone("blur", SIDE, probability=1.0, **settings)
    pair = draw_pair(policy, COMPOSED, COUNT, generator(3))
    distance = distances(policy, pair.a, pair.b)
    assert (distance[pair.active[:, 0]] == 0).float().mean() < 0.01
    assert (pair.a["blur"][:, 0] == 0).any() and not pair.active.all()


@pytest.mark.parametrize(("side", "acts"), [(8, False), (15, False), (16, True)])
def test_equalize_is_active_only_on_images_that_have_pixels_enough(side: int, acts: bool) -> None:
    policy = alone("equalize", side)
    pair = draw_pair(policy, COMPOSED, COUNT, generator(4))
    assert pair.active.any().item() == acts == pair.a["equalize"][:, 0].any().item()
    always = {"equalize": torch.ones(COUNT, 1)}
    ramp = torch.arange(side * side).div(2, rounding_mode="floor").to(torch.uint8)
    ramp[-1] = 200  # the brightest value, which equalisation counts out, is that of one pixel
    ramp = ramp.view(1, 1, side, side).expand(COUNT, 3, -1, -1)
    assert torch.equal(policy.apply(ramp, always), ramp.float() / 255) != acts


def test_values_that_do_nothing_are_not_active() -> None:
    for name, settings in (("posterize", {"bits": (8, 8)}), ("solarize", {"threshold": (1.0, 1.0)})):
        pair = draw_pair(alone(name, SIDE, **settings), COMPOSED, COUNT, generator(5))
        assert not pair.active.any() and not pair.a[name][:, 0].any()
