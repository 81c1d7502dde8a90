"""Indicators of a collapse of the representation."""

import torch
from torch import Tensor


def embedding_std(embedding: Tensor) -> Tensor:
    """Return the standard deviation over the batch, mean over dimensions: [N, d] → scalar. 0 means full collapse."""
    return embedding.float().std(dim=0).mean()


def effective_rank(embedding: Tensor) -> Tensor:
    """Return exp of the entropy of the normalised singular values of the centred batch (Roy & Vetterli 2007).

    The result of [N, d] is a scalar between 1 (one direction) and min(N − 1, d).
    """
    centred = (embedding - embedding.mean(dim=0)).double()
    gram = centred @ centred.T if len(centred) < centred.shape[1] else centred.T @ centred
    singular = torch.linalg.eigvalsh(gram).clamp(min=0).sqrt()
    share = singular / singular.sum().clamp(min=torch.finfo(torch.float64).tiny)
    return torch.special.entr(share).sum().exp()
