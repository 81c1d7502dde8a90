"""VICReg: invariance, variance and covariance terms (Bardes et al. 2022; facebookresearch/vicreg, main_vicreg.py).

Where paper and code differ, the code is followed: the variance term has a factor ½ over the two views, the covariance
term does not. All terms are computed in float32, whatever the precision of the embeddings.
"""

from torch import Tensor

VARIANCE_EPSILON = 1e-4
"""Constant added to the variance before the square root (main_vicreg.py)."""


def vicreg_terms(z_a: Tensor, z_b: Tensor) -> dict[str, Tensor]:
    """Return the three unweighted terms for embeddings [N, d] of the two views, N ≥ 2; scalars, float32.

    >>> import torch
    >>> z = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
    >>> {name: round(float(term), 4) for name, term in vicreg_terms(z, z).items()}
    {'invariance': 0.0, 'variance': 0.0, 'covariance': 0.0}
    """
    z_a, z_b = z_a.float(), z_b.float()
    return {
        "invariance": (z_a - z_b).square().mean(),
        "variance": (variance_hinge(z_a) + variance_hinge(z_b)) / 2,
        "covariance": covariance_energy(z_a) + covariance_energy(z_b),
    }


def standard_deviation(z: Tensor) -> Tensor:
    """Return √(unbiased variance + 1e-4) of each dimension: [N, d] → [d]."""
    return (variance(z - z.mean(dim=0)) + VARIANCE_EPSILON).sqrt()


def variance_hinge(z: Tensor) -> Tensor:
    """Return the mean over dimensions of max(0, 1 − standard deviation): [N, d] → scalar."""
    return (1 - standard_deviation(z)).relu().mean()


def covariance_energy(z: Tensor) -> Tensor:
    """Return Σ_{i≠j} C_ij² / d with C = Z_cᵀ Z_c / (N−1): [N, d] → scalar.

    For N < d it is computed from the N×N Gram matrix, ‖C‖²_F = ‖Z_c Z_cᵀ‖²_F / (N−1)², in O(N²d) instead of O(Nd²).
    """
    count, dimensions = z.shape
    centred = z - z.mean(dim=0)
    if count < dimensions:
        total = (centred @ centred.T).square().sum() / (count - 1) ** 2
        return (total - variance(centred).square().sum()) / dimensions
    return covariance_matrix(centred).fill_diagonal_(0).square().sum() / dimensions


def covariance_matrix(centred: Tensor) -> Tensor:
    """Return C = Z_cᵀ Z_c / (N−1) of centred embeddings: [N, d] → [d, d]."""
    return centred.T @ centred / (centred.shape[0] - 1)


def variance(centred: Tensor) -> Tensor:
    """Return the unbiased variance of centred embeddings, [N, d] → [d]; `Tensor.var` over rows takes five times as
    long.
    """
    return centred.square().sum(dim=0) / (centred.shape[0] - 1)
