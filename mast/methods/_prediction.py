"""Heads that predict, from the features of two views, how each augmentation differs between them, as in AugSelf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mast.augment.settings import PolicySpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor, nn

    from mast.augment.views import View
    from mast.learner import Learner

LAYERS = 3
"""Number of layers of a head (hankook/AugSelf, `load_ss_predictor` in models.py)."""


def build_heads(names: Sequence[str], policy: PolicySpec, features: int, hidden: int, circular: bool) -> nn.ModuleDict:
    """Build a head for each augmentation, from two views' features [N, 2D] to the numbers of its difference.

    Args:
        names: the augmentations, in the policy's order.
        policy: settings of the policy.
        features: width D of the features.
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
    """Return what each head of `learner.predictors` predicts for all processes' pairs, and the targets, float32 [2N, Q]
    each.

    Pairs are used in both orders of the two views; the features are [n, D], of this process's pairs.
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
    """Return the loss of one head: a scalar, or one value per prediction [N, Q] (hankook/AugSelf, `SSObjective` in
    trainers.py).

    Args:
        predicted: float32 [N, Q].
        target: of the same shape, in [-1, 1]; 0 or 1 for a switch.
        is_switch: whether the loss is the cross-entropy of the logits; otherwise it is the squared error after a tanh.
        reduction: `mean` or `none`.
    """
    from torch.nn import functional

    if is_switch:
        return functional.binary_cross_entropy_with_logits(predicted, target, reduction=reduction)
    return functional.mse_loss(predicted.tanh(), target, reduction=reduction)
