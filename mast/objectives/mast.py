"""MAST: VICReg's terms in one masked subspace per augmentation, with pairs re-weighted by predicted uncertainty.

The paper's abstract names the ingredients; the formulas are this project's definition (docs/understand/method.md).
With M ≡ 1, composed pairs and no uncertainty every term equals VICReg's.
"""

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mast.models.settings import MaskSpec, UncertaintySpec
from mast.objectives.subspaces import dimension_trust, subspace_errors, subspace_nll, subspace_precision
from mast.objectives.vicreg import VARIANCE_EPSILON, covariance_energy, covariance_matrix, variance, variance_hinge

MIN_MASK = 1e-6
"""Lower bound of masks inside the logarithm of their product."""

SMALLEST_LOG = -60.0
"""Logarithm of a row's largest weight below which float32 may lose its smaller ones: exp(−87) is the last that is
normal. Such rows are scaled before they are normalised.
"""


def mast_terms(
    z_a: Tensor,
    z_b: Tensor,
    masks: Tensor,
    active: Tensor,
    spec: MaskSpec,
    uncertainty: UncertaintySpec,
    variance_a: Tensor | None = None,
    variance_b: Tensor | None = None,
) -> dict[str, Tensor]:
    """Return the unweighted terms of one batch of pairs; scalars, float32.

    Args:
        z_a: embeddings of view a, [N, d], N ≥ 2.
        z_b: embeddings of view b, [N, d].
        masks: M, [K, d] in [0, 1], one row per augmentation.
        active: bool [N, K]; True where the pair's views differ in that augmentation.
        spec: which terms act on masked embeddings, and how pairs' weights are normalised.
        uncertainty: kind and form of the uncertainty.
        variance_a: predicted variance of view a, [N, 1], [N, d] or [N, K] by the kind, positive; None without
            uncertainty.
        variance_b: the same for view b.
    """
    z_a, z_b = z_a.float(), z_b.float()
    total = None if variance_a is None or variance_b is None else variance_a + variance_b
    if uncertainty.kind == "subspace" and total is not None:
        terms = _of_subspaces(z_a, z_b, masks, active, spec.normalize, total, uncertainty.max_weight)
    else:
        terms = _of_pairs(z_a, z_b, masks, active, spec.normalize, total, uncertainty)
    terms["variance"] = (_variance(z_a, masks, spec) + _variance(z_b, masks, spec)) / 2
    terms["covariance"] = _covariance(z_a, masks, spec) + _covariance(z_b, masks, spec)
    if spec.kind == "sigmoid" and spec.sparsity:
        terms["sparsity"] = spec.sparsity * masks.mean()
    return terms


def _of_pairs(
    z_a: Tensor,
    z_b: Tensor,
    masks: Tensor,
    active: Tensor,
    normalize: bool,
    total: Tensor | None,
    uncertainty: UncertaintySpec,
) -> dict[str, Tensor]:
    """Return invariance, and the head's term if it has one; `total` = σ² + σ′², [N, 1] or [N, d]."""
    if uncertainty.kind == "diagonal":
        weights = pair_weights(masks, active, normalize)
        weighted = weights * (z_a - z_b).square()
    else:  # recomputed in the backward pass, so that no [N, d] tensor of it stays in memory
        arguments = (z_a, z_b, masks, active, normalize)
        weighted, weights = checkpoint(_pair_means, *arguments, use_reentrant=False, preserve_rng_state=False)
    if total is None:
        return {"invariance": weighted.mean()}
    if uncertainty.form == "likelihood":
        return {"invariance": 2 * gaussian_nll(weighted, weights, total)}
    trust = relative_precision(total.detach(), uncertainty.max_weight)
    return {
        "invariance": (trust * weighted).mean(),
        "uncertainty": gaussian_nll(weighted.detach(), weights.detach(), total),
    }


def _of_subspaces(
    z_a: Tensor, z_b: Tensor, masks: Tensor, active: Tensor, normalize: bool, total: Tensor, max_weight: float
) -> dict[str, Tensor]:
    """Return the same with one variance per augmentation, `total` [N, K], which trains neither masks nor embeddings."""
    squared, fixed = (z_a - z_b).square(), masks.detach()
    trust = subspace_precision(total.detach(), active, max_weight)
    weights = pair_weights(masks, active, normalize) * dimension_trust(trust, fixed, active)
    return {
        "invariance": (weights * squared).mean(),
        "uncertainty": subspace_nll(subspace_errors(squared.detach(), fixed), total, active),
    }


def pair_weights(masks: Tensor, active: Tensor, normalize: bool) -> Tensor:
    """Return W_ij = Π_{k ∈ A_i} m_kj, which selects dimensions invariant to all augmentations A_i that differ in pair
    i.

    Args:
        masks: [K, d] in [0, 1].
        active: bool [N, K].
        normalize: whether to divide each row by its mean, so that masking does not shrink the invariance term.

    Returns:
        [N, d], non-negative; exactly 1 where no augmentation is active or all masks are 1.
    """
    weights = _products(masks, active, normalize)
    return weights / weights.mean(dim=1, keepdim=True) if normalize else weights


def _products(masks: Tensor, active: Tensor, scaled: bool) -> Tensor:
    """Return Π_{k ∈ A_i} m_kj, [N, d]; if `scaled`, rows that would underflow are divided by their largest value.

    Other rows keep every bit.
    """
    logs = active.to(masks.dtype) @ masks.clamp(min=MIN_MASK).log()
    if scaled:
        largest = logs.detach().amax(dim=1, keepdim=True)
        logs = logs - largest.where(largest < SMALLEST_LOG, 0)
    return logs.exp()


def _pair_means(z_a: Tensor, z_b: Tensor, masks: Tensor, active: Tensor, normalize: bool) -> tuple[Tensor, Tensor]:
    """Return the means over dimensions of W δ² and of W, [N, 1] each: all that one variance per pair needs."""
    weights = _products(masks, active, normalize)
    mean_weight = weights.mean(dim=1, keepdim=True)
    weighted = (weights * (z_a - z_b).square()).mean(dim=1, keepdim=True)
    return (weighted / mean_weight, torch.ones_like(mean_weight)) if normalize else (weighted, mean_weight)


def gaussian_nll(weighted: Tensor, weights: Tensor, variance: Tensor) -> Tensor:
    """Return mean_ij W_ij · ½ [δ²_ij / s_ij + log s_ij]: the negative log-likelihood of differences δ ~ N(0, s).

    This is the mutual likelihood score of Shi & Jain 2019 and the heteroscedastic regression of Kendall & Gal 2017, up
    to a constant.

    Args:
        weighted: W δ², [N, d], or its mean over dimensions, [N, 1], if `variance` is [N, 1].
        weights: W, of the same shape.
        variance: s = σ² + σ′², [N, 1] or [N, d], positive.
    """
    return (weighted / variance + weights * variance.log()).mean() / 2


def relative_precision(variance: Tensor, max_weight: float) -> Tensor:
    """Return precisions 1/s clipped to [1/max_weight, max_weight] times their batch mean, then scaled to mean 1.

    Being relative, they re-weight pairs but cannot raise or lower the invariance term as a whole. So shrinking all
    variances gains nothing.

    Args:
        variance: s, [N, 1] or [N, d], positive.
        max_weight: ≥ 1.
    """
    precision = variance.reciprocal()
    relative = (precision / precision.mean()).clamp(1 / max_weight, max_weight)
    return relative / relative.mean()


def masked_variance_hinge(z: Tensor, masks: Tensor) -> Tensor:
    """Return VICReg's variance term of each m_k ⊙ Z, averaged over k: [N, d], [K, d] → scalar.

    var(m ⊙ Z) = m² · var(Z), to which VICReg's 1e-4 is added before the root. (m · √(var(Z) + 1e-4) would be too small,
    by up to 0.01.)
    """
    return (1 - (masks.square() * variance(z - z.mean(dim=0)) + VARIANCE_EPSILON).sqrt()).relu().mean()


def masked_covariance_energy(z: Tensor, masks: Tensor) -> Tensor:
    """Return VICReg's covariance term of each m_k ⊙ Z, averaged over k. [N, d], [K, d] → scalar.

    Σ_{i≠j} (m_ki m_kj C_ij)² for all k needs C once: Σ_ij C_ij² G_ij with G = (M∘M)ᵀ(M∘M)/K, zero on the diagonal. That
    is O(Nd²); K Gram matrices of m_k ⊙ Z in O(KN²d) are cheaper where KN < d.
    """
    if len(masks) * len(z) < z.shape[1]:
        return torch.stack([covariance_energy(mask * z) for mask in masks]).mean()
    covariance = covariance_matrix(z - z.mean(dim=0))
    squared_masks = masks.square()
    shared = (squared_masks.T @ squared_masks / len(masks)).fill_diagonal_(0)
    return (covariance.square() * shared).sum() / z.shape[1]


def _variance(z: Tensor, masks: Tensor, spec: MaskSpec) -> Tensor:
    return masked_variance_hinge(z, masks) if spec.variance == "masked" else variance_hinge(z)


def _covariance(z: Tensor, masks: Tensor, spec: MaskSpec) -> Tensor:
    return masked_covariance_energy(z, masks) if spec.covariance == "masked" else covariance_energy(z)
