"""Mean differences, paired over seeds, with two 95 % intervals."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import bootstrap

from mast.reporting.statistics import estimate

RESAMPLES = 9999
GENERATOR_SEED = 0


@dataclass(frozen=True)
class Difference:
    """A mean difference, paired over seeds."""

    mean: float
    """NaN where n = 0."""
    low: float
    """Ends of the 95 % interval of the mean by Student's t; NaN where n < 2."""
    high: float
    bootstrap_low: float
    """Ends of the 95 % bootstrap interval of the mean; NaN where n < 2."""
    bootstrap_high: float
    seeds: tuple[int, ...]

    @property
    def n(self) -> int:
        """Number of pairs."""
        return len(self.seeds)


def paired_difference(baseline: pd.Series, values: pd.Series) -> Difference:
    """Mean of `values` − `baseline` over the seeds that both have, with the paired t interval (Student 1908).

    Args:
        baseline: one value per seed, indexed by seed; NaN values are left out.
        values: likewise.
    """
    known = (values - baseline).dropna().sort_index()
    found = estimate(known)
    low, high = found.mean - found.interval, found.mean + found.interval
    seeds = tuple(int(seed) for seed in known.index)
    return Difference(found.mean, low, high, *bootstrap_interval(known.to_numpy(dtype=float)), seeds)


def bootstrap_interval(values: np.ndarray) -> tuple[float, float]:
    """Ends of the 95 % percentile interval of the mean of `values` [n] over resamples of them (Efron 1979).

    The same values give the same interval; NaN for fewer than two. Of few values it is too narrow: it held the mean of
    83.8 % of 10,000 normal samples of 5, while Student's t held 94.9 %. Bias-corrected and accelerated (BCa) it held
    83.8 % as well, and it has no value where all are equal.
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    found = bootstrap((values,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=GENERATOR_SEED)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
