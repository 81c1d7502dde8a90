"""Growth of predicted uncertainty with the strength of an augmentation."""

from collections.abc import Iterator

import pandas as pd
import torch
from torch import Tensor, nn

from mast.analysis.views import encode_views
from mast.augment.policy import Params, Policy
from mast.columns import ANALYSIS_COLUMNS

LEVELS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Strengths at which each augmentation is applied, in addition to the identity (0); 1 is the strongest that the policy
allows. An augmentation that is only on or off has strength 1 at all of them and is measured once.
"""

SEED = 0
"""Seed of the augmentations' remaining parameters (position of a crop, sign of a rotation); the same at every strength.
"""


Predictions = dict[str, list[tuple[Tensor, Tensor]]]
"""Augmentation → strength and predicted σ of each image, float64 [N] each: first the plain images, then each level."""


@torch.inference_mode()
def predict_uncertainty(
    encoder: nn.Module,
    head: nn.Module,
    policy: Policy,
    images: Tensor,
    normalisation: tuple[Tensor, Tensor],
    of_subspaces: bool = False,
) -> Predictions:
    """Predict the uncertainty of images under one augmentation at a time, at growing strength.

    Args:
        encoder: images [N, 3, S, S] → features [N, D], in eval mode.
        head: features → variance [N, 1] or [N, d], or one for each of the policy's K augmentations, [N, K].
        policy: policy for images of S pixels.
        images: uint8 [N, 3, S, S].
        normalisation: mean and standard deviation of pretraining, [1, 3, 1, 1] each.
        of_subspaces: whether the head predicts a variance for each augmentation.

    Returns:
        The predicted standard deviation σ of each image, averaged over embedding dimensions; with `of_subspaces`, σ in
        the subspace of the augmentation that is applied.
    """
    device = next(head.parameters()).device

    def sigma(params: Params) -> dict[str, Tensor]:
        deviations = head(encode_views(encoder, policy, images, params, normalisation, device)).sqrt()
        columns = deviations.unbind(dim=1) if of_subspaces else [deviations.mean(dim=1)] * len(policy.names)
        return {name: column.double().cpu() for name, column in zip(policy.names, columns, strict=True)}

    plain = sigma(policy.identity(len(images)))
    return {
        name: [
            (torch.zeros_like(plain[name]), plain[name]),
            *((strength, sigma(params)[name]) for strength, params in _steps(policy, name, len(images))),
        ]
        for name in policy.names
    }


def measure_uncertainty(predictions: Predictions) -> pd.DataFrame:
    """Return the table `uncertainty`, a row for each augmentation and level.

    A row has mean strength, mean of σ over images, its standard deviation over images, and the number of images.
    """
    rows = [
        (name, round(strength.mean().item(), 4), sigma.mean().item(), sigma.std().item(), len(sigma))
        for name, steps in predictions.items()
        for strength, sigma in steps
    ]
    return pd.DataFrame(rows, columns=ANALYSIS_COLUMNS["uncertainty"])


def _steps(policy: Policy, name: str, count: int) -> Iterator[tuple[Tensor, Params]]:
    """Yield strength of each image and parameters at each level that differs from the previous one."""
    before = None
    for level in LEVELS:
        params = policy.at_strength(name, level, count, torch.Generator().manual_seed(SEED))
        if before is None or not torch.equal(params[name], before):
            yield policy.strength(name, params).double(), params
        before = params[name]
