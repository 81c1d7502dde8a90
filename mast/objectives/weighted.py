"""The loss as a weighted sum of its terms."""

from collections.abc import Mapping
from functools import reduce

import torch
from torch import Tensor


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return Σ weight · term, a scalar; a term that `weights` does not name has weight 1."""
    return reduce(torch.add, (weights.get(name, 1.0) * term for name, term in terms.items()))
