"""Uncertainty per subspace equals loops over pairs, augmentations and dimensions in float64."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mast.methods.mast import MastSpec
from mast.models.settings import UncertaintySpec
from mast.objectives.mast import mast_terms
from mast.objectives.subspaces import dimension_trust, subspace_errors, subspace_nll, subspace_precision

COUNT, AUGMENTATIONS, DIMENSIONS = 9, 4, 7
SPEC = MastSpec(uncertainty=UncertaintySpec(kind="subspace", max_weight=2))


def batch(seed: int, active_share: float = 0.6) -> tuple[torch.Tensor, ...]:
    """Two views' embeddings, masks, active augmentations and both views' variances, float32 as in training."""
    rng = np.random.default_rng(seed)

    def learned(values: np.ndarray) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32, requires_grad=True)

    z_a, z_b = (learned(rng.normal(size=(COUNT, DIMENSIONS))) for _ in range(2))
    masks = learned(rng.uniform(0.05, 1, (AUGMENTATIONS, DIMENSIONS)))
    active = torch.tensor(rng.uniform(size=(COUNT, AUGMENTATIONS)) < active_share)
    variances = [learned(rng.uniform(0.1, 2, (COUNT, AUGMENTATIONS))) for _ in range(2)]
    return z_a, z_b, masks, active, *variances


def by_hand(z_a: np.ndarray, z_b: np.ndarray, masks: np.ndarray, active: np.ndarray, s: np.ndarray) -> tuple:
    """Invariance and the head's term, one number after the other."""
    trust = np.ones_like(s)
    for k in range(AUGMENTATIONS):
        pairs = [i for i in range(COUNT) if active[i, k]]
        if pairs:
            mean = sum(1 / s[i, k] for i in pairs) / len(pairs)
            clipped = {i: min(max(1 / s[i, k] / mean, 0.5), 2.0) for i in pairs}
            for i in pairs:
                trust[i, k] = clipped[i] / (sum(clipped.values()) / len(pairs))
    invariance, likelihood, entries = 0.0, 0.0, 0
    for i in range(COUNT):
        on = [k for k in range(AUGMENTATIONS) if active[i, k]]
        weights = [math.prod(masks[k, j] for k in on) for j in range(DIMENSIONS)]
        for j in range(DIMENSIONS):
            difference = (z_a[i, j] - z_b[i, j]) ** 2
            own = sum(masks[k, j] * trust[i, k] for k in on) / sum(masks[k, j] for k in on) if on else 1.0
            invariance += weights[j] / (sum(weights) / DIMENSIONS) * own * difference / (COUNT * DIMENSIONS)
        for k in on:
            error = sum(masks[k, j] * (z_a[i, j] - z_b[i, j]) ** 2 for j in range(DIMENSIONS)) / masks[k].sum()
            likelihood, entries = likelihood + (error / s[i, k] + math.log(s[i, k])) / 2, entries + 1
    return invariance, likelihood / max(1, entries)


@pytest.mark.parametrize("active_share", [0.0, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_terms_are_those_of_the_definition(seed: int, active_share: float) -> None:
    z_a, z_b, masks, active, s_a, s_b = batch(seed, active_share)
    terms = mast_terms(z_a, z_b, masks, active, SPEC.masks, SPEC.uncertainty, s_a, s_b)
    arrays = [tensor.detach().double().numpy() for tensor in (z_a, z_b, masks, active, s_a + s_b)]
    expected = by_hand(*arrays)
    assert terms["invariance"].item() == pytest.approx(expected[0], rel=1e-5)
    assert terms["uncertainty"].item() == pytest.approx(expected[1], rel=1e-5, abs=1e-9)


def test_a_pair_that_is_uncertain_in_one_subspace_loses_weight_there_alone() -> None:
    masks = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]], dtype=torch.float64)
    active = torch.ones(2, 2, dtype=torch.bool)
    variance = torch.tensor([[4.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    trust = subspace_precision(variance, active, max_weight=10)
    torch.testing.assert_close(trust, torch.tensor([[0.4, 1.0], [1.6, 1.0]], dtype=torch.float64))
    expected = torch.tensor([[0.4, 1.0, 0.7], [1.6, 1.0, 1.3]], dtype=torch.float64)
    torch.testing.assert_close(dimension_trust(trust, masks, active), expected, rtol=1e-5, atol=0)


def test_a_pair_that_differs_in_one_augmentation_has_one_weight() -> None:
    active = torch.eye(AUGMENTATIONS, dtype=torch.bool)
    trust, masks = torch.rand(2, AUGMENTATIONS, AUGMENTATIONS)
    torch.testing.assert_close(
        dimension_trust(trust, masks, active), trust.diagonal().unsqueeze(1).expand_as(masks), rtol=1e-6, atol=1e-6
    )


@given(st.integers(0, 1000), st.floats(1, 10))
@settings(deadline=None, max_examples=30)
def test_precisions_have_mean_one_over_the_active_pairs_of_each_subspace(seed: int, bound: float) -> None:
    *_, active, s_a, _ = batch(seed)
    trust = subspace_precision(10 ** (8 * s_a.detach().double() - 8), active, bound)
    assert (trust[~active] == 1).all()
    for own in (trust[active[:, k], k] for k in range(AUGMENTATIONS) if active[:, k].any()):
        assert own.mean().item() == pytest.approx(1)
        assert own.max() / own.min() <= bound**2 * (1 + 1e-9)


def test_the_likelihood_reaches_the_head_alone() -> None:
    z_a, z_b, masks, active, s_a, s_b = batch(0)
    terms = mast_terms(z_a, z_b, masks, active, SPEC.masks, SPEC.uncertainty, s_a, s_b)
    gradients = torch.autograd.grad(terms["uncertainty"], (z_a, z_b, masks, s_a), allow_unused=True, retain_graph=True)
    assert gradients[:3] == (None, None, None) and gradients[3].abs().sum() > 0
    gradients = torch.autograd.grad(terms["invariance"], (z_a, masks, s_a), allow_unused=True)
    assert gradients[2] is None and gradients[0].abs().sum() > 0 and gradients[1].abs().sum() > 0


def test_the_likelihood_is_lowest_where_variances_are_the_errors() -> None:
    z_a, z_b, masks, active, *_ = (tensor.detach() for tensor in batch(0))
    errors = subspace_errors((z_a - z_b).square(), masks)
    best = subspace_nll(errors, errors, active)
    assert all(best < subspace_nll(errors, scale * errors, active) for scale in (0.9, 1.1))


def test_subspaces_have_no_likelihood_of_their_own() -> None:
    with pytest.raises(ValidationError, match=r"uncertainty\.form: 'subspace' has the form relative"):
        UncertaintySpec(kind="subspace", form="likelihood")
