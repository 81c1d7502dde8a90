"""Mean differences, paired over seeds, with two 95 % intervals, and p values for several of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtr
from scipy.stats import bootstrap

from mast.reporting.statistics import estimate

RESAMPLES = 9999
GENERATOR_SEED = 0


@dataclass(frozen=True)
class Difference:
    """A mean difference, paired over seeds."""

    mean: float
    """Mean difference; NaN if n = 0."""
    low: float
    """Ends `low` and `high` of the 95 % interval of the mean by Student's t; NaN if n < 2."""
    high: float
    bootstrap_low: float
    """Ends of the 95 % bootstrap interval of the mean; NaN if n < 2."""
    bootstrap_high: float
    p: float
    """p value of the two-sided paired t test; NaN if n < 2, or if all seeds differ by the same."""
    seeds: tuple[int, ...]

    @property
    def n(self) -> int:
        """Number of pairs."""
        return len(self.seeds)


def is_clear(low: float, high: float) -> bool:
    """Whether an interval has a width and leaves out zero: seeds that agree exactly do not tell their spread."""
    return bool(not np.isclose(low, high) and (low > 0 or high < 0))


def signed(value: float) -> str:
    """`+1.2`, `−0.4`."""
    return f"{value:+.1f}".replace("-", "−")


def paired_difference(baseline: pd.Series, values: pd.Series) -> Difference:
    """Return the mean of `values` − `baseline` over the seeds that both have, with the paired t interval (Student
    1908).

    Args:
        baseline: one value per seed, indexed by seed; NaN values are left out.
        values: values like `baseline`.
    """
    known = (values - baseline).dropna().sort_index()
    found = estimate(known)
    low, high = found.mean - found.interval, found.mean + found.interval
    seeds = tuple(int(seed) for seed in known.index)
    values = known.to_numpy(dtype=float)
    return Difference(found.mean, low, high, *bootstrap_interval(values), p_value(values), seeds)


def p_value(values: np.ndarray) -> float:
    """Return the p value of the two-sided t test that the mean of `values` [n] is zero (Student 1908).

    NaN for fewer than two values, or if all are equal, because their spread is then unknown.
    """
    if len(values) < 2 or np.isclose(np.ptp(values), 0):
        return float("nan")
    t = values.mean() / (values.std(ddof=1) / np.sqrt(len(values)))
    return float(2 * stdtr(len(values) - 1, -abs(t)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for multiple comparisons (Holm 1979), in the given order.

    The j-th smallest of m values is multiplied by m − j + 1; the results are made ascending and cut at 1. If all
    results below 0.05 are taken as differences, the probability that any of them is wrong is at most 0.05, whatever the
    dependence between the tests. NaN values stay and are not counted.
    """
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values)[: int((~np.isnan(values)).sum())]  # NaN values are sorted last
    factors = np.arange(len(order), 0, -1)
    values[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1)
    return values.tolist()


def bootstrap_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean of `values` [n] over resamples of them (Efron 1979).

    The same values give the same interval; NaN for fewer than two. With few values it is too narrow: it contained the
    mean for 83.8 % of 10,000 normal samples of 5, while Student's t contained 94.9 %. The bias-corrected and
    accelerated interval (BCa) contained 83.8 % as well, and is undefined if all values are equal.
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    found = bootstrap((values,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=GENERATOR_SEED)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
