"""Correlations of difficulty equal SciPy's, and their intervals come from resampled images."""

import numpy as np
import pytest
import torch
from scipy import stats

from mast.analysis.difficulty import extremes, measure_difficulty, named_errors, neighbour_errors, spearman


@pytest.mark.parametrize("shape", [(1, 150), (3, 80)])
def test_correlation_is_scipys_and_interval_close_to_its_bootstrap(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape)
    y = (x + rng.normal(size=shape)).round(1)  # with ties
    correlation, low, high = spearman(x, y)
    assert correlation == pytest.approx(stats.spearmanr(x.ravel(), y.ravel()).statistic, abs=1e-12)

    def resampled(columns: np.ndarray) -> float:
        return stats.spearmanr(x[:, columns].ravel(), y[:, columns].ravel()).statistic

    found = stats.bootstrap(
        (np.arange(shape[1]),), resampled, vectorized=False, n_resamples=600, method="percentile", rng=rng
    )
    assert (low, high) == pytest.approx(found.confidence_interval, abs=0.03)


def test_images_and_not_values_are_resampled() -> None:
    """Three copies of the values are no new evidence: the interval stays as wide."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 1, 100))
    once, copied = spearman(x, y), spearman(x.repeat(3, axis=0), y.repeat(3, axis=0))
    assert copied == pytest.approx(once, abs=1e-9)


def test_constant_values_have_no_correlation() -> None:
    assert np.isnan(spearman(np.ones((1, 9)), np.arange(9.0)[None])).all()


def test_neighbours_of_another_class_are_counted() -> None:
    axes = torch.eye(2)
    bank = torch.cat((axes[:1].expand(20, -1) * 5, axes[1:].expand(20, -1)))  # two bundles; length does not matter
    labels = np.stack([np.arange(40) // 20, np.arange(40) % 2], axis=1)
    errors = neighbour_errors(bank, labels, axes, np.array([[0, 0], [0, 0]]))
    assert errors.tolist() == [[0, 0.5], [1, 0.5]]
    assert neighbour_errors(bank[:1], labels[:1], axes, labels[:2]).shape == (2, 2)


def test_mean_over_targets() -> None:
    errors = np.array([[0.0, 1.0], [0.5, 0.5]])
    assert named_errors(errors, ["a", "b"])["mean"].tolist() == [0.5, 0.5]
    assert list(named_errors(errors[:, :1], ["a"])) == ["a"]


@pytest.fixture
def predictions() -> dict[str, list[tuple[torch.Tensor, torch.Tensor]]]:
    """σ grows with crop's strength and falls with the image's number; flip changes nothing."""
    plain = 2 - torch.arange(40, dtype=torch.float64) / 1000
    nothing, all_ = torch.zeros(40, dtype=torch.float64), torch.ones(40, dtype=torch.float64)
    return {
        "crop": [(nothing, plain), (all_ / 2, plain + 1), (all_, plain + 2)],
        "flip": [(nothing, plain), (all_, plain)],
    }


def test_known_relations_are_found(predictions: dict[str, list[tuple[torch.Tensor, torch.Tensor]]]) -> None:
    error = np.arange(40.0)
    table = measure_difficulty(predictions, {"shape": error}).set_index(["against", "name"])
    assert table.loc[("strength", "crop"), "correlation"] > 0.9
    assert table.loc[("strength", "flip"), "correlation"] == pytest.approx(0, abs=1e-12)
    assert table.loc[("error", "shape"), ["correlation", "low", "high"]].tolist() == pytest.approx([-1, -1, -1])
    assert (table["count"] == 40).all()


def test_extremes_are_the_first_and_last_in_order(
    predictions: dict[str, list[tuple[torch.Tensor, torch.Tensor]]],
) -> None:
    images = torch.arange(40, dtype=torch.uint8).view(40, 1, 1, 1).expand(40, 3, 2, 2)
    ends = extremes(predictions, images)
    assert ends["images"].shape == (2, 16, 2, 2, 3)
    assert ends["images"][:, :, 0, 0, 0].tolist() == [list(range(39, 23, -1)), list(range(16))]
    assert ends["sigma"][:, 0] == pytest.approx([2 - 0.039, 2])
