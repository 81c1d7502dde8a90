"""How augmentations relate, read from the masks that select their subspaces."""

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

MASK_COLUMNS = ("augmentation", "dimension", "weight")
OVERLAP_COLUMNS = ("first", "second", "cosine", "soft_iou")


def mask_weights(masks: Tensor, augmentations: list[str]) -> pd.DataFrame:
    """Masks [K, d] in [0, 1] as a tidy frame (`MASK_COLUMNS`) of K·d rows."""
    index = pd.MultiIndex.from_product([augmentations, range(masks.shape[1])], names=MASK_COLUMNS[:2])
    return pd.Series(masks.double().flatten().numpy(), index=index, name="weight").reset_index()


def mask_overlap(masks: Tensor, augmentations: list[str]) -> pd.DataFrame:
    """Overlap of every ordered pair of masks [K, d] in [0, 1], itself included (`OVERLAP_COLUMNS`, K² rows).

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
    index = pd.MultiIndex.from_product([augmentations, augmentations], names=OVERLAP_COLUMNS[:2])
    values = {"cosine": cosine.flatten().numpy(), "soft_iou": soft_iou.flatten().numpy()}
    return pd.DataFrame(values, index=index).reset_index()
