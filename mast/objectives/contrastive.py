"""Losses of pairs against the other pairs of a batch: NT-Xent, and Barlow Twins' cross-correlation.

All losses are computed in float32, whatever the precision of the embeddings.
"""

import torch
from torch import Tensor
from torch.nn import functional

NORM_EPSILON = 1e-5
"""Constant added to the variance before embeddings are standardised (`BatchNorm1d` in facebookresearch/barlowtwins,
main.py).
"""


def nt_xent(z_a: Tensor, z_b: Tensor, temperature: float) -> Tensor:
    """Return the mean over all 2N views of the cross-entropy of finding the image's other view (Chen et al. 2020,
    equation 1).

    Candidates are the 2N − 1 other views, by cosine similarity over the temperature. The official code (objective.py
    in google-research/simclr) adds the means of both halves, which is twice this.

    Args:
        z_a: embeddings of view a, [N, d], N ≥ 2.
        z_b: embeddings of view b, [N, d].
        temperature: τ > 0.
    """
    count = len(z_a)
    z = functional.normalize(torch.cat((z_a, z_b)).float(), dim=1)
    similarity = (z @ z.T / temperature).fill_diagonal_(-torch.inf)
    return functional.cross_entropy(similarity, torch.arange(2 * count, device=z.device).roll(count))


def barlow_twins_terms(z_a: Tensor, z_b: Tensor) -> dict[str, Tensor]:
    """Return both terms of Barlow Twins (Zbontar et al. 2021, eq. 1), unweighted; scalars, float32.

    With C the cross-correlation of the two views' dimensions over the batch (biased variance, as in main.py of
    facebookresearch/barlowtwins): `invariance` = Σ_i (1 − C_ii)², `redundancy` = Σ_{i≠j} C_ij².

    Args:
        z_a: embeddings of view a, [N, d], N ≥ 2.
        z_b: embeddings of view b, [N, d].
    """
    a, b = (_standardised(z.float()) for z in (z_a, z_b))
    correlation = a.T @ b / len(a)
    diagonal = correlation.diagonal()
    redundancy = correlation.square().sum() - diagonal.square().sum()
    return {"invariance": (1 - diagonal).square().sum(), "redundancy": redundancy}


def _standardised(z: Tensor) -> Tensor:
    """Standardise each dimension to mean 0 and standard deviation 1 over the batch, [N, d]."""
    centred = z - z.mean(dim=0)
    return centred * (centred.square().mean(dim=0) + NORM_EPSILON).rsqrt()
