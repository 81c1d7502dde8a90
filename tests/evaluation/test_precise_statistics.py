"""Statistics of batch norm after training are averages over batches, for layers in train mode."""

import numpy as np
import pytest
import torch
from torch import nn

from mast.distributed import World
from mast.evaluation.precise_statistics import recompute_statistics


def test_means_and_variances_of_batches_are_averaged() -> None:
    """In float64, the mean over batches of each batch's mean and unbiased variance, not those of all images."""
    generator = torch.Generator().manual_seed(0)
    batches = [
        torch.randn(size, 3, 5, 5, generator=generator) * scale for size, scale in ((4, 1.0), (2, 3.0), (3, 0.5))
    ]
    kept, recomputed = nn.BatchNorm2d(3).eval(), nn.BatchNorm2d(3)
    model = nn.Sequential(kept, recomputed)
    for batch in batches:
        model(batch)  # leaves running statistics, which are to be forgotten
    before = {name: value.clone() for name, value in kept.state_dict().items()}
    recompute_statistics(model, lambda number: model(batches[number]), len(batches), 4)
    seen = [kept(batch).detach().double().numpy() for batch in batches]
    means = np.mean([batch.mean(axis=(0, 2, 3)) for batch in seen], axis=0)
    variances = np.mean([batch.var(axis=(0, 2, 3), ddof=1) for batch in seen], axis=0)
    np.testing.assert_allclose(recomputed.running_mean, means, atol=1e-6)
    np.testing.assert_allclose(recomputed.running_var, variances, rtol=1e-5)
    assert recomputed.momentum == kept.momentum == 0.1
    assert all(torch.equal(value, before[name]) for name, value in kept.state_dict().items())


def test_weights_stay_and_nothing_is_recomputed_from_no_batch() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
    model(torch.rand(4, 3, 2, 2))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    recompute_statistics(model, lambda _number: model(torch.rand(4, 3, 2, 2)), 0, 4)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    recompute_statistics(model, lambda _number: model(torch.rand(4, 3, 2, 2)), 1, 4)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"1.running_mean", "1.running_var"}


def test_of_several_processes_the_first_one_shows_the_progress(capsys: pytest.CaptureFixture[str]) -> None:
    model = nn.BatchNorm2d(3)
    for rank, shown in ((0, 1), (1, 0)):
        recompute_statistics(model, lambda _number: model(torch.rand(4, 3, 2, 2)), 1, 4, World(rank, 2))
        assert capsys.readouterr().err.count("statistics: 4/4 images") == shown
