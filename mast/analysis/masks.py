"""How augmentations relate, read from the masks that select their subspaces."""

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from mast.records import ANALYSIS_COLUMNS


def mask_weights(masks: Tensor, augmentations: list[str]) -> pd.DataFrame:
    """Masks [K, d] in [0, 1] as the table `masks` of K·d rows."""
    *names, weight = ANALYSIS_COLUMNS["masks"]
    index = pd.MultiIndex.from_product([augmentations, range(masks.shape[1])], names=names)
    return pd.Series(masks.double().flatten().numpy(), index=index, name=weight).reset_index()


def mask_overlap(masks: Tensor, augmentations: list[str]) -> pd.DataFrame:
    """Overlap of every ordered pair of masks [K, d] in [0, 1], itself included: the table `overlap` of K² rows.

    `cosine` is that of the two rows of weights; `soft_iou` = Σ_j min(m_j, m′_j) / Σ_j max(m_j, m′_j), which for masks
    of 0 and 1 is the number of shared dimensions over the number of dimensions that either uses. Both are in [0, 1];
    both are 0 where a mask is empty.
    """
    masks = masks.double()
    directions = functional.normalize(masks, dim=1)
    cosine = directions @ directions.T
    pairs = masks.unsqueeze(0), masks.unsqueeze(1)
    shared, either = torch.minimum(*pairs).sum(dim=2), torch.maximum(*pairs).sum(dim=2)
    soft_iou = shared / either.clamp(min=torch.finfo(either.dtype).tiny)
    first, second, *measures = ANALYSIS_COLUMNS["overlap"]
    index = pd.MultiIndex.from_product([augmentations, augmentations], names=[first, second])
    values = [cosine.flatten().numpy(), soft_iou.flatten().numpy()]
    return pd.DataFrame(dict(zip(measures, values, strict=True)), index=index).reset_index()


def subspace_dimensions(masks: Tensor, augmentations: list[str]) -> pd.DataFrame:
    """How many dimensions each subspace shares with others, from masks [K, d] in [0, 1]: the table `subspaces`, K rows.

    `size` = Σ_j m_kj is the sum of `common` = Σ_j min_l m_lj (open in all masks), `unique` = Σ_j max(0, m_kj −
    max_{l≠k} m_lj) (open in this one more than in any other) and `partly`, the rest. `closed_alone` = Σ_j max(0,
    min_{l≠k} m_lj − m_kj): closed in this one, open in all others. For masks of 0 and 1 these are numbers of
    dimensions. Of a single mask all is unique.
    """
    masks = masks.double()
    records = []
    for row, name in enumerate(augmentations):
        own, others = masks[row], torch.cat((masks[:row], masks[row + 1 :]))
        size = own.sum().item()
        if len(others) == 0:
            records.append((name, size, 0.0, 0.0, size, 0.0))
            continue
        common = masks.amin(dim=0).sum().item()
        unique = (own - others.amax(dim=0)).clamp(min=0).sum().item()
        closed_alone = (others.amin(dim=0) - own).clamp(min=0).sum().item()
        records.append((name, size, common, max(0.0, size - common - unique), unique, closed_alone))
    return pd.DataFrame(records, columns=ANALYSIS_COLUMNS["subspaces"])
