"""Heads that predict from the features of two views how each augmentation differs between them, as in AugSelf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mast.augment.settings import PolicySpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor, nn

    from mast.augment.views import View
    from mast.learner import Learner

LAYERS = 3
"""Of a head (hankook/AugSelf, `load_ss_predictor` in models.py)."""


def check_predicted(names: Sequence[str], spec: Any, key: str) -> None:
    """Raise ValueError where an augmentation is predicted that is not drawn; `key` is that of `names`."""
    for name in names:
        if name not in spec.policy.names:
            raise ValueError(f"{key}: {name!r} is not in policy.augmentations; leave it out, or add it there")


def build_heads(names: Sequence[str], policy: PolicySpec, features: int, hidden: int, circular: bool) -> nn.ModuleDict:
    """A head for each augmentation, from two views' features [N, 2D] to the numbers of its difference.

    Args:
        names: the augmentations, in the policy's order.
        policy: settings.
        features: D.
        hidden: width of the hidden layers.
        circular: `circular_hue` of `mast.augment.description.describe_difference`.
    """
    from torch import nn

    from mast.augment.description import describe_difference
    from mast.augment.policy import Policy
    from mast.models.mlp import build_mlp

    drawn = Policy(policy, image_size=1)
    one = drawn.identity(1)
    outputs = {name: describe_difference(drawn, name, one, one, circular).shape[1] for name in names}
    return nn.ModuleDict({name: build_mlp(2 * features, hidden, count, LAYERS) for name, count in outputs.items()})


def predict(
    learner: Learner,
    names: Sequence[str],
    features_a: Tensor,
    features_b: Tensor,
    views: Iterable[View],
    circular: bool,
) -> dict[str, tuple[Tensor, Tensor]]:
    """What each head of `learner.predictors` predicts of all processes' pairs, and what is right, float32 [2N, Q] each.

    Over both orders of the two views, whose features are [n, D] of this process's pairs.
    """
    import torch

    from mast.augment.description import describe_difference

    both = torch.cat((torch.cat((features_a, features_b), dim=1), torch.cat((features_b, features_a), dim=1)))
    a, b = (view.params for view in views)
    found = {}
    for name in names:
        with learner.autocast():
            predicted = learner.predictors[name](both)
        predicted = torch.cat([learner.world.gather(part.float()) for part in predicted.chunk(2)])
        targets = [describe_difference(learner.policy, name, *order, circular) for order in ((a, b), (b, a))]
        found[name] = predicted, torch.cat(targets).to(predicted, non_blocking=True)
    return found


def prediction_loss(predicted: Tensor, target: Tensor, is_switch: bool, reduction: str = "mean") -> Tensor:
    """The loss of one head: a scalar, or of each prediction [N, Q] (hankook/AugSelf, `SSObjective` in trainers.py).

    Args:
        predicted: float32 [N, Q].
        target: of the same shape; in [-1, 1], of a switch 0 or 1.
        is_switch: cross-entropy of the logits, where other targets have the squared error behind a tanh.
        reduction: `mean` or `none`.
    """
    from torch.nn import functional

    if is_switch:
        return functional.binary_cross_entropy_with_logits(predicted, target, reduction=reduction)
    return functional.mse_loss(predicted.tanh(), target, reduction=reduction)
