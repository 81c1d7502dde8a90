"""Relations between augmentations from the masks of their subspaces, compared with unrelated masks.

The level of chance of a measure is its mean when the weights of each mask are assigned to the dimensions at random,
independently of the other masks. These masks have the same budget and softness but are unrelated.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from mast.columns import ANALYSIS_COLUMNS


def mask_weights(masks: Tensor, augmentations: list[str]) -> pd.DataFrame:
    """Return masks [K, d] in [0, 1] as the table `masks` of K·d rows."""
    *names, weight = ANALYSIS_COLUMNS["masks"]
    index = pd.MultiIndex.from_product([augmentations, range(masks.shape[1])], names=names)
    return pd.Series(masks.double().flatten().numpy(), index=index, name=weight).reset_index()


def mask_overlap(masks: Tensor, augmentations: list[str]) -> pd.DataFrame:
    """Return the overlap of every ordered pair of masks [K, d] in [0, 1], including with itself: the table `overlap` of
    K² rows.

    `cosine` is the cosine of the two rows of weights; `soft_iou` = Σ_j min(m_j, m′_j) / Σ_j max(m_j, m′_j), which for
    masks of 0 and 1 is the number of shared dimensions over the number of dimensions that either uses. Both are in [0,
    1]; both are 0 if a mask is empty. `cosine_chance` is the mean cosine of unrelated masks, `soft_iou_chance` the mean
    of what they share divided by the mean of what either uses. Both are 1 for a mask with itself.
    """
    masks, dimensions = masks.double(), masks.shape[1]
    directions, tiny = functional.normalize(masks, dim=1), torch.finfo(torch.float64).tiny
    pairs = masks.unsqueeze(0), masks.unsqueeze(1)
    shared, sizes = torch.minimum(*pairs).sum(dim=2), masks.sum(dim=1)
    both = sizes.unsqueeze(0) + sizes.unsqueeze(1)  # the sum of what is shared and what either uses
    shares, lengths = map(torch.from_numpy, _open_shares(masks))
    dealt = dimensions * (shares * lengths) @ shares.T  # the mean of min(x, y) is ∫ P(x > t) P(y > t) dt
    by_chance = directions.sum(dim=1).outer(directions.sum(dim=1)) / dimensions
    values = [
        directions @ directions.T,
        shared / (both - shared).clamp(min=tiny),
        by_chance.fill_diagonal_(1) * (sizes > 0),
        (dealt / (both - dealt).clamp(min=tiny)).fill_diagonal_(1) * (sizes > 0),
    ]
    first, second, *measures = ANALYSIS_COLUMNS["overlap"]
    index = pd.MultiIndex.from_product([augmentations, augmentations], names=[first, second])
    columns = {measure: matrix.flatten().numpy() for measure, matrix in zip(measures, values, strict=True)}
    return pd.DataFrame(columns, index=index).reset_index()


def subspace_dimensions(masks: Tensor, augmentations: list[str]) -> pd.DataFrame:
    """Count the dimensions that each subspace shares, from masks [K, d] in [0, 1]: the table `subspaces`, K rows.

    `size` = Σ_j m_kj is the sum of `common` = Σ_j min_l m_lj (open in all masks), `unique` = Σ_j max(0, m_kj −
    max_{l≠k} m_lj) (open in this one more than in any other) and `partly`, the rest. `closed_alone` = Σ_j max(0,
    min_{l≠k} m_lj − m_kj): closed in this one, open in all others. For masks of 0 and 1 these are numbers of
    dimensions. With a single mask everything is unique. Columns with `_chance` are the means of the same four for
    unrelated masks.
    """
    masks, columns = masks.double(), ANALYSIS_COLUMNS["subspaces"]
    if len(masks) == 1:
        size = masks.sum().item()
        return pd.DataFrame([(*augmentations, size, *_parts(size, 0, size, 0) * 2)], columns=columns)
    records = []
    for row, (name, chance) in enumerate(zip(augmentations, _unrelated(masks), strict=True)):
        own, others = masks[row], torch.cat((masks[:row], masks[row + 1 :]))
        size, common = own.sum().item(), masks.amin(dim=0).sum().item()
        unique = (own - others.amax(dim=0)).clamp(min=0).sum().item()
        closed_alone = (others.amin(dim=0) - own).clamp(min=0).sum().item()
        records.append((name, size, *_parts(size, common, unique, closed_alone), *_parts(size, *chance)))
    return pd.DataFrame(records, columns=columns)


def _parts(size: float, common: float, unique: float, closed_alone: float) -> tuple[float, float, float, float]:
    """Return `common`, `partly`, `unique`, `closed_alone`."""
    return common, max(0.0, size - common - unique), unique, closed_alone


def _unrelated(masks: Tensor) -> Iterator[tuple[float, float, float]]:
    """Return the means of `common`, `unique` and `closed_alone` of each of K ≥ 2 unrelated masks.

    For independent x and y in [0, 1] the mean of max(0, x − y) is ∫ P(x > t ≥ y) dt.
    """
    shares, lengths = _open_shares(masks)
    for row, own in enumerate(shares):
        others = np.delete(shares, row, axis=0)
        all_open, none_open = others.prod(axis=0), (1 - others).prod(axis=0)
        integrands = own * all_open, own * none_open, (1 - own) * all_open
        yield tuple(float(masks.shape[1] * integrand @ lengths) for integrand in integrands)


def _open_shares(masks: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of each mask's weights above t, [K, S], within S intervals of t, and their lengths [S].

    This is the probability that a randomly assigned weight is above t. It is constant between two weights.
    """
    values = np.sort(masks.double().numpy(), axis=1)
    steps = np.unique(np.append(values, 0.0))
    below = np.stack([np.searchsorted(row, steps[:-1], side="right") for row in values])
    return 1 - below / masks.shape[1], np.diff(steps)
