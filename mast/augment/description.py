"""Numbers that describe a view's augmentations, or their difference between two views, as in AugSelf and CASSLE."""

import math

import torch
from torch import Tensor

from mast.augment.operations import AUGMENTATIONS
from mast.augment.policy import Params, Policy

HUE = 4
"""Column of a jitter's rows: the hue shift, as a share of the colour circle."""


def describe_view(policy: Policy, name: str, params: Params) -> Tensor:
    """Describe one augmentation of a view, float32 [N, Q] on the CPU, with `Policy.describe`.

    The centre of a crop is given in the flipped image (gmum/CASSLE, `extract_aug_descriptors` in transforms.py).
    """
    described = policy.describe(name, params)
    if name != "crop" or "flip" not in params:
        return described
    centre = torch.where(_flipped(params), 1 - described[:, :1], described[:, :1])
    return torch.cat((centre, described[:, 1:]), dim=1)


def colour_change(policy: Policy, images: Tensor, params: Params) -> Tensor:
    """Return the mean of each channel of the moved images before jitter minus the mean after it, float32 [N, 3] on
    their device.

    Source: gmum/CASSLE, `ColorJitter` in transforms.py.

    Args:
        policy: the view's policy, with jitter.
        images: float32 [N, 3, S, S] in [0, 1].
        params: parameters of these images.
    """
    geometric = {name: rows for name, rows in params.items() if AUGMENTATIONS[name].geometric}
    moved = policy.identity(len(images)) | geometric
    views = (policy.apply(images, each) for each in (moved, moved | {"jitter": params["jitter"]}))
    before, after = (view.mean(dim=(2, 3)) for view in views)
    return before - after


def describe_difference(policy: Policy, name: str, a: Params, b: Params, circular_hue: bool = False) -> Tensor:
    """Describe how one augmentation differs between two views, float32 [N, Q] on the CPU, in [-1, 1].

    For a switch the number is 1 if it is on in both views or off in both, else 0. For parameters it is view a's value
    minus view b's (`Policy.describe`). The horizontal distance of two crops is measured in view a, so its sign changes
    if view a is flipped. The numbers are those of hankook/AugSelf, `extract_diff` in transforms.py, with these
    exceptions of ours: grayscale, blur and solarize, scaled by their ranges instead of in pixels and thresholds, and
    augmentations that AugSelf does not have.

    Args:
        policy: policy of the views.
        name: name of the augmentation.
        a: parameters of view a.
        b: parameters of view b.
        circular_hue: whether hue has two columns instead of one, cosine and sine of the angle between both shifts.
            Shifts of +½ and −½ give the same hue, but their difference is the largest possible.
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
    """Return whether each image is flipped, bool [N, 1]."""
    return params["flip"][:, :1] > 0
