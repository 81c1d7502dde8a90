"""VICReg equals a float64 oracle written from the definition, dimension by dimension."""

import numpy as np
import pytest
import torch

from mast.objectives.vicreg import covariance_energy, vicreg_terms


def oracle(z_a: np.ndarray, z_b: np.ndarray) -> dict[str, float]:
    """Loops over dimensions in float64; no matrix identity shared with the implementation."""
    count, dims = z_a.shape
    terms = {
        "invariance": sum((z_a[i, j] - z_b[i, j]) ** 2 for i in range(count) for j in range(dims)) / (count * dims)
    }
    hinge, energy = 0.0, 0.0
    for z in (z_a, z_b):
        hinge += np.mean([max(0.0, 1.0 - np.sqrt(np.var(z[:, j], ddof=1) + 1e-4)) for j in range(dims)]) / 2
        covariance = np.cov(z, rowvar=False)
        energy += sum(covariance[i, j] ** 2 for i in range(dims) for j in range(dims) if i != j) / dims
    return terms | {"variance": hinge, "covariance": energy}


@pytest.mark.parametrize(("count", "dims"), [(2, 3), (5, 17), (17, 5), (32, 32), (64, 7), (7, 64)])
def test_value_equals_oracle(count: int, dims: int) -> None:
    rng = np.random.default_rng(count * 100 + dims)
    z_a, z_b = rng.normal(0.3, 0.8, (2, count, dims))
    expected = oracle(z_a, z_b)
    for dtype, tolerance in ((torch.float32, 1e-5),):
        terms = vicreg_terms(torch.tensor(z_a, dtype=dtype), torch.tensor(z_b, dtype=dtype))
        assert {k: float(v) for k, v in terms.items()} == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize(("count", "dims"), [(6, 20), (20, 6)])
def test_gradient_equals_finite_differences_of_oracle(count: int, dims: int) -> None:
    rng = np.random.default_rng(0)
    z_a, z_b = rng.normal(0, 0.6, (2, count, dims))
    leaf = torch.tensor(z_a, dtype=torch.float32, requires_grad=True)
    terms = vicreg_terms(leaf, torch.tensor(z_b, dtype=torch.float32))
    (gradient,) = torch.autograd.grad(25 * terms["invariance"] + 25 * terms["variance"] + terms["covariance"], leaf)

    def loss(z: np.ndarray) -> float:
        values = oracle(z, z_b)
        return 25 * values["invariance"] + 25 * values["variance"] + values["covariance"]

    for i, j in [(0, 0), (3, 2), (count - 1, dims - 1)]:
        step = np.zeros_like(z_a)
        step[i, j] = 1e-5
        numeric = (loss(z_a + step) - loss(z_a - step)) / 2e-5
        assert float(gradient[i, j]) == pytest.approx(numeric, rel=2e-3, abs=1e-5)


@pytest.mark.parametrize("count", [8, 40, 41])
def test_both_forms_of_the_covariance_agree_in_float64(count: int) -> None:
    z = torch.randn(count, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    covariance = torch.cov(z.T)
    plain = (covariance - covariance.diag().diag()).square().sum() / 40
    fast = covariance_energy(z)
    assert fast.item() == pytest.approx(plain.item(), rel=1e-12)
    torch.testing.assert_close(*(torch.autograd.grad(value, z)[0] for value in (fast, plain)), rtol=1e-10, atol=1e-13)


def test_reduced_precision_embeddings_are_computed_in_float32() -> None:
    z = torch.randn(2, 16, 8).bfloat16()
    terms = vicreg_terms(z[0], z[1])
    assert {term.dtype for term in terms.values()} == {torch.float32}
    assert {k: float(v) for k, v in terms.items()} == pytest.approx(oracle(*z.double().numpy()), rel=1e-5)


def test_a_constant_embedding_has_full_variance_loss() -> None:
    terms = vicreg_terms(torch.ones(8, 4), torch.ones(8, 4))
    assert float(terms["variance"]) == pytest.approx(1 - 0.01)  # sqrt(1e-4) remains
    assert float(terms["covariance"]) == 0
