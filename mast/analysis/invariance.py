"""How far a representation moves when one augmentation changes, in the whole space and in each subspace."""

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from mast.analysis.views import encode_views
from mast.augment.policy import Policy
from mast.augment.settings import PolicySpec

INVARIANCE_COLUMNS = ("augmentation", "space", "moved", "between", "relative", "count")

FEATURES, EMBEDDING = "features", "embedding"
"""Names of the whole spaces, encoder and projector; a subspace has the name of its augmentation."""

SEED = 0
"""Of the augmentations' parameters."""


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
    """Distance between an image and the same image under one augmentation, relative to that between images.

    Representations are scaled to unit length within each space. The augmentation is applied to every image, with
    parameters drawn as in pretraining; the other view is the plain image.

    Args:
        encoder: images [N, 3, S, S] → features [N, D], in eval mode and on `device`.
        projector: features → embeddings [N, d], likewise; None where the run has none.
        masks: [K, d] in [0, 1], in the order of the policy's augmentations; None where none are learned.
        policy: of pretraining.
        images: uint8 [N, 3, S, S], at least two.
        normalisation: mean and standard deviation of pretraining, [1, 3, 1, 1] each.
        device: where the encoder runs.

    Returns:
        A frame with `INVARIANCE_COLUMNS`, a row for each augmentation and space: mean distance that the augmentation
        moves an image, mean distance between two plain images, the first over the second (0: invariant; 1: as far as
        to another image), and the number of images.
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
    for name in plain_policy.names:
        for space, rows in spaces(identity | {name: drawn[name]}).items():
            moved = (rows - plain[space]).norm(dim=1).mean().item()
            relative = moved / between[space] if between[space] else 0.0
            records.append((name, space, moved, between[space], relative, len(images)))
    return pd.DataFrame(records, columns=list(INVARIANCE_COLUMNS))


def _always_applied(policy: PolicySpec) -> PolicySpec:
    certain = {name: getattr(policy, name).model_copy(update={"probability": 1.0}) for name in policy.names}
    return policy.model_copy(update=certain)


def _spaces(
    features: Tensor, projector: nn.Module | None, masks: Tensor | None, names: tuple[str, ...]
) -> dict[str, Tensor]:
    """Unit vectors, float32 [N, ·], in each space that the run has."""
    spaces = {FEATURES: features}
    if projector is not None:
        spaces[EMBEDDING] = embedding = projector(features)
        if masks is not None:
            spaces |= {name: embedding * mask for name, mask in zip(names, masks.to(embedding), strict=True)}
    return {space: functional.normalize(rows.float(), dim=1) for space, rows in spaces.items()}


def _mean_distance_between(rows: Tensor) -> float:
    """Mean over all pairs of different rows of [N, D]."""
    return functional.pdist(rows.cpu()).double().mean().item()
