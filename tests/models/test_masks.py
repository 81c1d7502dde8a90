"""Soft top-k has the right budget, order and gradient."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mast.models.masks import Masks, mean_cosine, soft_top_k
from mast.models.settings import MaskSpec

BUDGETS = st.floats(0.05, 0.95)
SEEDS = st.integers(0, 10_000)


@given(SEEDS, st.integers(1, 8), st.integers(2, 64), BUDGETS, st.floats(0.05, 5), st.floats(0, 20))
@settings(deadline=None)
def test_mean_of_each_mask_is_the_budget(
    seed: int, k: int, d: int, keep: float, temperature: float, spread: float
) -> None:
    logits = spread * torch.randn(k, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    masks = soft_top_k(logits, keep, temperature)
    assert masks.min() >= 0 and masks.max() <= 1
    torch.testing.assert_close(masks.mean(dim=1), torch.full((k,), keep, dtype=torch.float64), rtol=0, atol=1e-6)


@given(SEEDS, BUDGETS)
@settings(deadline=None)
def test_order_of_logits_is_kept(seed: int, keep: float) -> None:
    logits = torch.randn(1, 20, generator=torch.Generator().manual_seed(seed))
    masks = soft_top_k(logits, keep, 0.5)
    assert (masks[0, logits[0].argsort()].diff() >= 0).all()


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_gradient_is_that_of_the_implicit_threshold(seed: int) -> None:
    logits = torch.randn(2, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: soft_top_k(t, 0.6, 0.7), (logits,), atol=1e-5)


def test_dimensions_compete_for_the_budget() -> None:
    logits = torch.randn(3, 10, requires_grad=True)
    (soft_top_k(logits, 0.5, 1.0) * torch.rand(3, 10)).sum().backward()
    torch.testing.assert_close(logits.grad.sum(dim=1), torch.zeros(3), rtol=0, atol=1e-6)


def test_low_temperature_selects_the_k_largest() -> None:
    logits = torch.tensor([[3.0, -1.0, 0.5, 2.0]])
    torch.testing.assert_close(soft_top_k(logits, 0.5, 0.01), torch.tensor([[1.0, 0.0, 0.0, 1.0]]))


@pytest.mark.parametrize("kind", ["none", "sigmoid", "topk"])
def test_start_of_each_kind(kind: str) -> None:
    masks = Masks(3, 1000, MaskSpec(kind=kind, keep=0.8, init_std=0.1))()
    assert masks.shape == (3, 1000)
    assert masks.mean().item() == pytest.approx(1.0 if kind == "none" else 0.8, abs=0.01)


def test_no_masks_are_no_trainable_masks() -> None:
    module = Masks(2, 4, MaskSpec(kind="none"))
    assert not any(p.requires_grad for p in module.parameters())
    assert torch.equal(module(), torch.ones(2, 4))


def test_mean_cosine_is_that_of_all_pairs_of_rows() -> None:
    masks = torch.rand(5, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pairs = [torch.cosine_similarity(masks[i], masks[j], dim=0) for i in range(5) for j in range(5) if i != j]
    torch.testing.assert_close(mean_cosine(masks), torch.stack(pairs).mean())
