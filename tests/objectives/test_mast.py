"""MAST's terms equal VICReg's, explicit loops over subspaces, and hand-written densities."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mast.methods.mast import MastSpec
from mast.models.masks import Masks
from mast.models.settings import MaskSpec, UncertaintySpec
from mast.objectives.mast import (
    MIN_MASK,
    gaussian_nll,
    masked_covariance_energy,
    masked_variance_hinge,
    mast_terms,
    pair_weights,
    relative_precision,
)
from mast.objectives.vicreg import vicreg_terms

PLAIN = MastSpec(uncertainty=UncertaintySpec(kind="none"))


def embeddings(count: int, dims: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    z = torch.randn(2, count, dims, generator=torch.Generator().manual_seed(seed))
    return (0.7 * z[0]).requires_grad_(), (0.7 * z[0] + 0.3 * z[1]).requires_grad_()


@pytest.mark.parametrize(("count", "dims"), [(16, 5), (16, 40), (9, 1)])
@pytest.mark.parametrize("where", ["full", "masked"])
def test_open_masks_and_composed_pairs_give_vicreg(count: int, dims: int, where: str) -> None:
    z = embeddings(count, dims)
    masks, active = torch.ones(5, dims), torch.ones(count, 5, dtype=torch.bool)
    spec = MastSpec(masks=MaskSpec(covariance=where, variance=where), uncertainty=UncertaintySpec(kind="none"))
    ours, reference = mast_terms(*z, masks, active, spec.masks, spec.uncertainty), vicreg_terms(*z)
    assert ours.keys() == reference.keys()
    for name in reference:
        torch.testing.assert_close(ours[name], reference[name], rtol=1e-6, atol=1e-9)
    total = [sum(25 * term for term in terms.values()) for terms in (ours, reference)]
    for ours_gradient, gradient in zip(*(torch.autograd.grad(value, z) for value in total), strict=True):
        torch.testing.assert_close(ours_gradient, gradient, rtol=1e-6, atol=1e-6 * float(gradient.abs().max()))


@pytest.mark.parametrize(
    ("kind", "form"),
    [*product(["isotropic", "diagonal"], ["relative", "likelihood"]), ("subspace", "relative")],
)
def test_uncertainty_at_its_start_leaves_the_invariance_term_as_it_is(kind: str, form: str) -> None:
    z = embeddings(12, 6)
    spec = MastSpec(uncertainty=UncertaintySpec(kind=kind, form=form))
    half = torch.full((12, spec.uncertainty.outputs(3, 6)), 0.5)
    terms = mast_terms(
        *z, torch.ones(3, 6), torch.ones(12, 3, dtype=torch.bool), spec.masks, spec.uncertainty, half, half
    )
    torch.testing.assert_close(terms["invariance"], vicreg_terms(*z)["invariance"])


def test_pair_weights_multiply_the_masks_of_the_active_augmentations() -> None:
    masks = torch.tensor([[0.5, 1.0, 0.2], [0.1, 0.4, 1.0]], dtype=torch.float64)
    active = torch.tensor([[True, True], [True, False], [False, False]])
    expected = torch.tensor([[0.05, 0.4, 0.2], [0.5, 1.0, 0.2], [1, 1, 1]], dtype=torch.float64)
    torch.testing.assert_close(pair_weights(masks, active, normalize=False), expected)
    normalized = pair_weights(masks, active, normalize=True)
    torch.testing.assert_close(normalized, expected / expected.mean(dim=1, keepdim=True))


def nearly_closed(augmentations: int, keep: float) -> torch.Tensor:
    """Masks [K, 128] as they are at the start of a training, with the mean `keep`."""
    torch.manual_seed(0)
    return Masks(augmentations, 128, MaskSpec(keep=keep))().detach()


@pytest.mark.parametrize("keep", [0.3, 0.1, 0.05])
def test_normalised_weights_of_many_masks_equal_float64(keep: float) -> None:
    """The product of fifteen masks is below float32's range; a row's mean is 1 whatever its size."""
    masks, active = nearly_closed(15, keep), torch.rand(8, 15) < torch.linspace(0.3, 1, 8)[:, None]
    wide = masks.clamp(min=MIN_MASK).double()
    expected = torch.stack([wide[row].prod(dim=0) for row in active])
    expected /= expected.mean(dim=1, keepdim=True)
    torch.testing.assert_close(pair_weights(masks, active, normalize=True).double(), expected, rtol=1e-4, atol=1e-9)
    z = embeddings(8, 128)
    terms = mast_terms(*z, masks.requires_grad_(), active, MaskSpec(keep=keep), PLAIN.uncertainty)
    exact = (expected * (z[0] - z[1]).double().square()).mean()
    torch.testing.assert_close(terms["invariance"].double(), exact, rtol=1e-4, atol=0)
    terms["invariance"].backward()
    assert masks.grad.isfinite().all() and masks.grad.abs().sum() > 0


def test_weights_of_usual_masks_keep_every_bit() -> None:
    masks, active = nearly_closed(5, 0.5).requires_grad_(), torch.rand(64, 5) < 0.7
    plain = (active.float() @ masks.clamp(min=MIN_MASK).log()).exp()
    plain = plain / plain.mean(dim=1, keepdim=True)
    ours, toward = pair_weights(masks, active, normalize=True), torch.randn(64, 128)
    assert torch.equal(ours, plain)
    gradients = (torch.autograd.grad((weights * toward).sum(), masks)[0] for weights in (ours, plain))
    assert torch.equal(*gradients)


@given(st.integers(1, 6), st.integers(2, 24), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_masked_terms_equal_vicreg_on_each_masked_embedding(augmentations: int, dims: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(10, dims, dtype=torch.float64, generator=generator)
    masks = torch.rand(augmentations, dims, dtype=torch.float64, generator=generator)
    hinge, energy = [], []
    for mask in masks:
        covariance = torch.cov((mask * z).T).reshape(dims, dims)
        energy.append((covariance.square().sum() - covariance.diagonal().square().sum()) / dims)
        hinge.append((1 - ((mask * z).var(dim=0) + 1e-4).sqrt()).relu().mean())
    torch.testing.assert_close(masked_covariance_energy(z, masks), torch.stack(energy).mean(), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(masked_variance_hinge(z, masks), torch.stack(hinge).mean(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mask", [0.0, 0.01, 0.3, 1.0])
def test_a_closed_dimension_counts_as_vicreg_counts_it_on_the_masked_embedding(mask: float) -> None:
    """The epsilon under the root is not masked: taking m out of the root would err by up to (1 − m) / 100."""
    z = torch.randn(10, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.05
    masks = torch.full((1, 4), mask, dtype=torch.float64)
    exact = 1 - ((mask * z.numpy()).var(axis=0, ddof=1) + 1e-4) ** 0.5
    outside = 1 - mask * (z.numpy().var(axis=0, ddof=1) + 1e-4) ** 0.5
    assert float(masked_variance_hinge(z, masks)) == pytest.approx(exact.mean(), abs=1e-14)
    assert (outside >= exact).all() and (outside - exact <= (1 - mask) / 100 + 1e-15).all()
    assert mask == 1 or outside.mean() > exact.mean()


@pytest.mark.parametrize(("count", "dims", "augmentations"), [(6, 4, 3), (3, 7, 2), (3, 7, 1), (3, 4, 1)])
def test_masked_covariance_gradient_reaches_embeddings_and_masks(count: int, dims: int, augmentations: int) -> None:
    z = torch.randn(count, dims, dtype=torch.float64, requires_grad=True)
    masks = torch.rand(augmentations, dims, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(masked_covariance_energy, (z, masks))


@pytest.mark.parametrize("columns", [1, 5])
def test_gaussian_nll_equals_the_normal_density(columns: int) -> None:
    rng = np.random.default_rng(0)
    difference, variance = rng.normal(0, 1, (7, 5)), rng.uniform(0.1, 3, (7, columns))
    density = np.exp(-(difference**2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    expected = -np.log(density).mean() - 0.5 * np.log(2 * np.pi)
    ours = gaussian_nll(torch.tensor(difference**2), torch.ones(7, 5, dtype=torch.float64), torch.tensor(variance))
    assert float(ours) == pytest.approx(expected)


@given(st.lists(st.floats(1e-4, 1e4), min_size=1, max_size=20), st.floats(1, 10))
@settings(deadline=None)
def test_relative_precision_has_mean_one_and_bounded_ratio(variances: list[float], bound: float) -> None:
    weights = relative_precision(torch.tensor(variances, dtype=torch.float64)[:, None], bound)
    assert float(weights.mean()) == pytest.approx(1)
    assert float(weights.max() / weights.min()) <= bound**2 * (1 + 1e-9)


def test_relative_uncertainty_gives_the_encoder_no_reward_for_small_variances() -> None:
    z = embeddings(8, 4)
    spec = MastSpec(uncertainty=UncertaintySpec(kind="isotropic"))
    arguments = (torch.ones(2, 4), torch.ones(8, 2, dtype=torch.bool), spec.masks, spec.uncertainty)
    small, large = (
        mast_terms(*z, *arguments, torch.full((8, 1), v), torch.full((8, 1), v))["invariance"] for v in (1e-3, 10.0)
    )
    torch.testing.assert_close(small, large)


def test_uncertainty_head_loss_does_not_reach_the_embeddings() -> None:
    z = embeddings(8, 4)
    variance = torch.full((8, 1), 0.5, requires_grad=True)
    spec = MastSpec(uncertainty=UncertaintySpec(kind="isotropic"))
    active = torch.ones(8, 2, dtype=torch.bool)
    term = mast_terms(*z, torch.ones(2, 4), active, spec.masks, spec.uncertainty, variance, variance)["uncertainty"]
    gradients = torch.autograd.grad(term, (*z, variance), allow_unused=True)
    assert gradients[0] is None and gradients[1] is None and gradients[2].abs().sum() > 0


def test_ambiguous_pairs_weigh_less() -> None:
    z_a = torch.zeros(2, 3, requires_grad=True)
    z_b = torch.ones(2, 3)
    variance = torch.tensor([[0.5], [2.0]])
    spec = MastSpec(uncertainty=UncertaintySpec(kind="isotropic", max_weight=4))
    active = torch.ones(2, 1, dtype=torch.bool)
    terms = mast_terms(z_a, z_b, torch.ones(1, 3), active, spec.masks, spec.uncertainty, variance, variance)
    (gradient,) = torch.autograd.grad(terms["invariance"], z_a)
    assert gradient[0, 0] / gradient[1, 0] == pytest.approx(4.0)


def test_plain_spec_needs_no_variances() -> None:
    z = embeddings(8, 4)
    terms = mast_terms(*z, torch.rand(2, 4), torch.ones(8, 2, dtype=torch.bool), PLAIN.masks, PLAIN.uncertainty)
    assert set(terms) == {"invariance", "variance", "covariance"}
