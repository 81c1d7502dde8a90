"""Means and intervals over seeds equal SciPy's; missing values are not counted; chance is corrected as in kappa."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score

from mast.reporting.statistics import above_chance, estimate, mean_per_seed


def test_two_seeds_by_hand() -> None:
    # mean 71; s = √2; s/√n = 1; t(0.975, 1) = tan(0.475 π) = 12.7062
    result = estimate(pd.Series([70.0, 72.0]))
    assert (result.mean, result.n) == (71.0, 2)
    assert result.interval == pytest.approx(12.7062, abs=1e-4)


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_interval_is_scipys(n: int) -> None:
    values = np.random.default_rng(n).normal(60, 3, n)
    low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    result = estimate(pd.Series(values))
    assert result.mean - result.interval == pytest.approx(low, rel=1e-12)
    assert result.mean + result.interval == pytest.approx(high, rel=1e-12)


def test_one_seed_has_no_interval_and_none_no_mean() -> None:
    one, none = estimate(pd.Series([50.0])), estimate(pd.Series([np.nan]))
    assert (one.mean, one.n) == (50.0, 1)
    assert np.isnan(one.interval)
    assert none.n == 0
    assert np.isnan(none.mean)


def test_missing_values_are_not_counted() -> None:
    assert estimate(pd.Series([1.0, np.nan, 3.0])) == estimate(pd.Series([1.0, 3.0]))


def test_mean_over_tasks_is_taken_within_each_seed() -> None:
    columns = [("shapes", "hue", "top1"), ("digits", "digit", "top1")]
    # The two tasks move against each other, so the mean hardly varies over seeds though each task does.
    values = {0: (40.0, 80.0), 1: (60.0, 61.0), 2: (50.0, np.nan)}
    frame = pd.DataFrame(
        [
            dict(zip(("task", "target", "metric"), column, strict=True), seed=seed, value=value)
            for seed, row in values.items()
            for column, value in zip(columns, row, strict=True)
        ]
    )
    means = mean_per_seed(frame, columns)
    assert means.to_dict() == {0: 60.0, 1: 60.5}  # seed 2 lacks a task
    assert estimate(means).interval < 5 < estimate(pd.Series([40.0, 60.0])).interval


def test_above_chance_is_the_adjusted_balanced_accuracy() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 5, 200)
    guesses = np.where(generator.random(200) < 0.4, labels, generator.integers(0, 5, 200))
    plain = 100 * balanced_accuracy_score(labels, guesses)
    adjusted = 100 * balanced_accuracy_score(labels, guesses, adjusted=True)
    assert above_chance(pd.Series([plain]), 20.0).tolist() == pytest.approx([adjusted])


def test_above_chance_is_cohens_kappa_where_each_class_is_guessed_as_often_as_it_occurs() -> None:
    labels = np.arange(40) % 4
    guesses = np.where(np.arange(40) < 20, labels, (labels + 1) % 4)
    plain = 100 * (labels == guesses).mean()
    kappa = 100 * cohen_kappa_score(labels, guesses)
    assert above_chance(pd.Series([plain]), pd.Series([25.0])).tolist() == pytest.approx([kappa])


def test_where_chance_is_not_known_or_leaves_no_room_there_is_no_score() -> None:
    found = above_chance(pd.Series([50.0, 50.0, 100.0, 12.5]), pd.Series([np.nan, 25.0, 100.0, 12.5]))
    assert found.isna().tolist() == [True, False, True, False]
    assert found[[1, 3]].tolist() == pytest.approx([100 / 3, 0])
