"""Collapse indicators are right on embeddings with known answers."""

import pytest
import torch

from mast.pretraining.indicators import effective_rank, embedding_std


def test_constant_embedding() -> None:
    assert float(embedding_std(torch.ones(8, 3))) == 0
    assert float(effective_rank(torch.ones(8, 3))) == pytest.approx(1)


@pytest.mark.parametrize(("count", "dims"), [(200, 6), (9, 30)])
@pytest.mark.parametrize("rank", [1, 4])
def test_equal_singular_values_count_directions(count: int, dims: int, rank: int) -> None:
    torch.manual_seed(0)
    centred = torch.randn(count, rank, dtype=torch.float64)
    basis = torch.linalg.qr(centred - centred.mean(dim=0)).Q
    directions = torch.linalg.qr(torch.randn(dims, rank, dtype=torch.float64)).Q
    assert float(effective_rank(5 + basis @ directions.T)) == pytest.approx(rank, rel=1e-6)
