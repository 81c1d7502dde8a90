"""What networks are told of a view's augmentations, or predict of two views': as AugSelf and CASSLE define it."""

import math

import torch
from torch import Tensor

from mast.augment.operations import AUGMENTATIONS
from mast.augment.policy import Params, Policy

HUE = 4
"""Column of a jitter's rows: the turn of the hue, as a share of the circle."""


def describe_view(policy: Policy, name: str, params: Params) -> Tensor:
    """One augmentation of a view, float32 [N, Q] on the CPU: `Policy.describe`.

    The centre of a crop is that in the flipped image (gmum/CASSLE, `extract_aug_descriptors` in transforms.py).
    """
    described = policy.describe(name, params)
    if name != "crop" or "flip" not in params:
        return described
    centre = torch.where(_flipped(params), 1 - described[:, :1], described[:, :1])
    return torch.cat((centre, described[:, 1:]), dim=1)


def colour_change(policy: Policy, images: Tensor, params: Params) -> Tensor:
    """Mean of each channel of the moved images before jitter minus that after it, float32 [N, 3] on their device.

    gmum/CASSLE, `ColorJitter` in transforms.py.

    Args:
        policy: the view's, with jitter.
        images: float32 [N, 3, S, S] in [0, 1].
        params: of these images.
    """
    geometric = {name: rows for name, rows in params.items() if AUGMENTATIONS[name].geometric}
    moved = policy.identity(len(images)) | geometric
    views = (policy.apply(images, each) for each in (moved, moved | {"jitter": params["jitter"]}))
    before, after = (view.mean(dim=(2, 3)) for view in views)
    return before - after


def describe_difference(policy: Policy, name: str, a: Params, b: Params, circular_hue: bool = False) -> Tensor:
    """How one augmentation differs between two views, float32 [N, Q] on the CPU, in [-1, 1].

    Of a switch, 1 where both views have it on or both off, else 0. Of parameters, view a's minus view b's
    (`Policy.describe`); the horizontal distance of two crops is that seen from view a, turned round where view a is
    flipped. As hankook/AugSelf, `extract_diff` in transforms.py; ours are grayscale, blur and solarize over their
    ranges, where AugSelf takes pixels and thresholds, and all that it has not.

    Args:
        policy: the views'.
        name: the augmentation.
        a: parameters of view a.
        b: parameters of view b.
        circular_hue: two columns in the place of the hue's one, cosine and sine of the angle between both turns. Turns
            of +½ and −½ are the same hue; by their difference they are as far apart as can be.
    """
    first, second = policy.describe(name, a), policy.describe(name, b)
    if policy.is_switch(name):
        return (first == second).float()
    difference = first - second
    if name == "crop" and "flip" in a:
        difference[:, :1] = torch.where(_flipped(a), -difference[:, :1], difference[:, :1])
    if name == "jitter" and circular_hue:
        angle = 2 * math.pi * (a[name][:, HUE] - b[name][:, HUE])
        return torch.cat((difference[:, : HUE - 1], angle.cos().unsqueeze(1), angle.sin().unsqueeze(1)), dim=1)
    return difference


def _flipped(params: Params) -> Tensor:
    """Bool [N, 1]."""
    return params["flip"][:, :1] > 0
