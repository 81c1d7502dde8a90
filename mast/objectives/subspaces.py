"""Uncertainty per subspace: a variance for each pair and augmentation re-weights the pair in that subspace alone.

This project's definition (docs/understand/method.md). K augmentations, d dimensions, N pairs.
"""

from torch import Tensor

SMALLEST = 1e-6
"""Lower bound of sums of masks in denominators."""


def subspace_errors(squared: Tensor, masks: Tensor) -> Tensor:
    """Return e_ik = Σ_j m_kj δ²_ij / Σ_j m_kj: the mean squared difference of pair i in the subspace of augmentation k.

    Args:
        squared: δ², [N, d].
        masks: [K, d] in [0, 1].

    Returns:
        [N, K].
    """
    return squared @ masks.T / masks.sum(dim=1).clamp(min=SMALLEST)


def subspace_nll(errors: Tensor, variance: Tensor, active: Tensor) -> Tensor:
    """Return the mean of ½ [e_ik / s_ik + log s_ik] over pairs i and the augmentations k active in them, a scalar.

    This is the negative log-likelihood, up to a constant, of differences δ_ij ~ N(0, s_ik) in subspace k, a mean over
    its dimensions; 0 where nothing is active.

    Args:
        errors: e, [N, K].
        variance: s = σ² + σ′², [N, K], positive.
        active: bool [N, K].
    """
    each = (errors / variance + variance.log()) / 2
    return (each * active).sum() / active.sum().clamp(min=1)


def subspace_precision(variance: Tensor, active: Tensor, max_weight: float) -> Tensor:
    """Return r_ik: precisions 1/s_ik relative to their mean over the pairs in which augmentation k is active.

    They are clipped to [1/max_weight, max_weight] and divided by their mean over the same pairs. So they have mean 1
    within each k, as those of `relative_precision` have over all pairs.

    Args:
        variance: s, [N, K], positive.
        active: bool [N, K].
        max_weight: ≥ 1.

    Returns:
        [N, K]; 1 where the augmentation is not active.
    """
    count = active.sum(dim=0).clamp(min=1)
    precision = variance.reciprocal()
    mean = (precision * active).sum(dim=0) / count
    relative = (precision / mean.clamp(min=SMALLEST)).clamp(1 / max_weight, max_weight)
    relative = relative / ((relative * active).sum(dim=0) / count).clamp(min=1 / max_weight)
    return relative.where(active, relative.new_ones(()))


def dimension_trust(trust: Tensor, masks: Tensor, active: Tensor) -> Tensor:
    """Return ρ_ij = Σ_{k∈A_i} m_kj r_ik / Σ_{k∈A_i} m_kj, the weight of a dimension from the active subspaces it
    belongs to.

    With a single active augmentation it is r_ik in all dimensions; if all r are 1, it is 1.

    Args:
        trust: r, [N, K].
        masks: [K, d] in [0, 1].
        active: bool [N, K].

    Returns:
        [N, d]; 1 where nothing is active.
    """
    masks = masks.clamp(min=SMALLEST)
    belonging = active.to(masks.dtype) @ masks
    weighted = (active * trust) @ masks
    return (weighted / belonging).where(active.any(dim=1, keepdim=True), masks.new_ones(()))
