"""NT-Xent and Barlow Twins equal float64 versions of the definitions, and lightly if it is installed."""

import numpy as np
import pytest
import torch

from mast.objectives.contrastive import NORM_EPSILON, barlow_twins_terms, nt_xent


def nt_xent_by_hand(z_a: np.ndarray, z_b: np.ndarray, temperature: float) -> float:
    """Loops over views in float64."""
    views, count = [*z_a, *z_b], len(z_a)
    losses = []
    for i, view in enumerate(views):
        similar = {
            j: np.exp(view @ other / (np.linalg.norm(view) * np.linalg.norm(other)) / temperature)
            for j, other in enumerate(views)
            if j != i
        }
        losses.append(-np.log(similar[(i + count) % (2 * count)] / sum(similar.values())))
    return float(np.mean(losses))


def barlow_twins_by_hand(z_a: np.ndarray, z_b: np.ndarray) -> dict[str, float]:
    """Loops over pairs of dimensions in float64."""
    terms = {"invariance": 0.0, "redundancy": 0.0}
    for i, x in enumerate(z_a.T):
        for j, y in enumerate(z_b.T):
            spread = np.sqrt((x.var() + NORM_EPSILON) * (y.var() + NORM_EPSILON))
            correlation = ((x - x.mean()) * (y - y.mean())).mean() / spread
            terms["invariance"] += (1 - correlation) ** 2 if i == j else 0
            terms["redundancy"] += correlation**2 if i != j else 0
    return terms


def embeddings(count: int, dims: int) -> tuple[torch.Tensor, torch.Tensor]:
    z = torch.randn(2, count, dims, dtype=torch.float64, generator=torch.Generator().manual_seed(count))
    return z[0] + 0.3, 0.8 * z[0] + 0.4 * z[1]


@pytest.mark.parametrize(("count", "dims"), [(2, 3), (7, 4), (5, 16)])
@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_nt_xent_equals_the_definition(count: int, dims: int, temperature: float) -> None:
    z = embeddings(count, dims)
    by_hand = nt_xent_by_hand(*(part.numpy() for part in z), temperature)
    assert nt_xent(*z, temperature).item() == pytest.approx(by_hand, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("count", "dims"), [(2, 3), (7, 4), (5, 16)])
def test_barlow_twins_equals_the_definition(count: int, dims: int) -> None:
    z = embeddings(count, dims)
    terms = {name: term.item() for name, term in barlow_twins_terms(*z).items()}
    assert terms == pytest.approx(barlow_twins_by_hand(*(part.numpy() for part in z)), rel=1e-4)


def test_reduced_precision_embeddings_are_computed_in_float32() -> None:
    z = [part.bfloat16() for part in embeddings(8, 4)]
    doubles = [part.double().numpy() for part in z]
    assert nt_xent(*z, 0.1).dtype == torch.float32
    assert nt_xent(*z, 0.1).item() == pytest.approx(nt_xent_by_hand(*doubles, 0.1), rel=1e-5)
    assert barlow_twins_terms(*z)["redundancy"].item() == pytest.approx(
        barlow_twins_by_hand(*doubles)["redundancy"], rel=1e-4
    )


def test_equal_views_that_are_far_from_others_cost_nothing() -> None:
    z = torch.eye(4) * 3
    assert nt_xent(z, z, 0.01).item() == pytest.approx(0, abs=1e-6)
    cross = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
    assert barlow_twins_terms(cross, cross)["redundancy"].item() == pytest.approx(0, abs=1e-8)
    assert barlow_twins_terms(cross, cross)["invariance"].item() == pytest.approx(0, abs=1e-8)


def test_losses_are_lightlys() -> None:
    loss = pytest.importorskip("lightly.loss")
    z = [part.float() for part in embeddings(16, 8)]
    assert nt_xent(*z, 0.5).item() == pytest.approx(loss.NTXentLoss(temperature=0.5)(*z).item(), rel=1e-5)
    terms = barlow_twins_terms(*z)
    ours = terms["invariance"] + 0.0051 * terms["redundancy"]
    assert ours.item() == pytest.approx(loss.BarlowTwinsLoss(lambda_param=0.0051)(*z).item(), rel=1e-4)
