"""Distance that one augmentation moves a representation, in the whole space and in each subspace."""

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from mast.analysis.views import encode_views
from mast.augment.policy import Policy
from mast.augment.settings import PolicySpec
from mast.columns import ANALYSIS_COLUMNS

FEATURES, EMBEDDING = "features", "embedding"
"""Names of the whole spaces, encoder and projector; a subspace has the name of its augmentation."""

SEED = 0
"""Seed of the augmentations' parameters, and of the shuffled masks."""

SHUFFLES = 8
"""Number of shuffles of each mask, whose mean is reported."""


@torch.inference_mode()
def measure_invariance(
    encoder: nn.Module,
    projector: nn.Module | None,
    masks: Tensor | None,
    policy: PolicySpec,
    images: Tensor,
    normalisation: tuple[Tensor, Tensor],
    device: torch.device,
) -> pd.DataFrame:
    """Measure the distance between an image and its augmented version, relative to that between images.

    Representations are scaled to unit length within each space. The augmentation is applied to every image, with
    parameters drawn as in pretraining; the other view is the plain image.

    Args:
        encoder: images [N, 3, S, S] → features [N, D], in eval mode and on `device`.
        projector: features → embeddings [N, d], in eval mode and on `device`; None if the run has none.
        masks: [K, d] in [0, 1], in the order of the policy's augmentations; None if none are learned.
        policy: policy of pretraining.
        images: uint8 [N, 3, S, S], at least two.
        normalisation: mean and standard deviation of pretraining, [1, 3, 1, 1] each.
        device: device on which the encoder runs.

    Returns:
        The table `invariance`, a row for each augmentation and space: mean distance that the augmentation moves an
        image; mean distance between two plain images; the first divided by the second (0: invariant; 1: as far as to
        another image); for an augmentation in its own subspace, the same ratio for a mask with the same weights on
        other dimensions (`shuffled`, the mean of `SHUFFLES`; else NaN); the number of images.
    """
    plain_policy, always = Policy(policy, images.shape[-1]), Policy(_always_applied(policy), images.shape[-1])
    identity = plain_policy.identity(len(images))
    drawn = always.sample(len(images), 0, torch.Generator().manual_seed(SEED))

    def spaces(params: dict[str, Tensor]) -> dict[str, Tensor]:
        features = encode_views(encoder, plain_policy, images, params, normalisation, device)
        return _spaces(features, projector, masks, plain_policy.names)

    plain = spaces(identity)
    between = {space: _mean_distance_between(rows) for space, rows in plain.items()}
    records = []
    for row, name in enumerate(plain_policy.names):
        changed = spaces(identity | {name: drawn[name]})
        for space, rows in changed.items():
            moved = _mean_distance(rows, plain[space])
            relative = moved / between[space] if between[space] else 0.0
            shuffled = _shuffled(changed[EMBEDDING], plain[EMBEDDING], masks[row]) if space == name else float("nan")
            records.append((name, space, moved, between[space], relative, shuffled, len(images)))
    return pd.DataFrame(records, columns=ANALYSIS_COLUMNS["invariance"])


def _always_applied(policy: PolicySpec) -> PolicySpec:
    certain = {name: getattr(policy, name).model_copy(update={"probability": 1.0}) for name in policy.names}
    return policy.model_copy(update=certain)


def _spaces(
    features: Tensor, projector: nn.Module | None, masks: Tensor | None, names: tuple[str, ...]
) -> dict[str, Tensor]:
    """Return unit vectors, float32 [N, ·], in each space that the run has."""
    spaces = {FEATURES: features}
    if projector is not None:
        spaces[EMBEDDING] = embedding = projector(features)
        if masks is not None:
            spaces |= {name: embedding * mask for name, mask in zip(names, masks.to(embedding), strict=True)}
    return {space: functional.normalize(rows.float(), dim=1) for space, rows in spaces.items()}


def _shuffled(changed: Tensor, plain: Tensor, mask: Tensor) -> float:
    """Return distance moved over distance between images, with the weights of a mask [d] placed on other dimensions.

    Args:
        changed: embeddings of the changed images, [N, d], of any length.
        plain: embeddings of the plain images, [N, d].
        mask: [d] in [0, 1].
    """
    generator, found = torch.Generator().manual_seed(SEED), []
    for _ in range(SHUFFLES):
        dealt = mask[torch.randperm(len(mask), generator=generator)].to(plain)
        rows, others = functional.normalize(changed * dealt, dim=1), functional.normalize(plain * dealt, dim=1)
        between = _mean_distance_between(others)
        found.append(_mean_distance(rows, others) / between if between else 0.0)
    return sum(found) / len(found)


def _mean_distance(rows: Tensor, others: Tensor) -> float:
    """Return the mean over rows of [N, D] of the distance to the same row of `others`."""
    return (rows - others).norm(dim=1).mean().item()


def _mean_distance_between(rows: Tensor) -> float:
    """Return the mean over all pairs of different rows of [N, D]."""
    return functional.pdist(rows.cpu()).double().mean().item()
