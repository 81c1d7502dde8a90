"""Mean and 95 % interval over seeds, and scores corrected for chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds."""

    mean: float
    """Mean over seeds; NaN if n = 0."""
    interval: float
    """Half width of the 95 % confidence interval of the mean; NaN if n < 2."""
    n: int
    """Number of seeds."""


def estimate(values: pd.Series) -> Estimate:
    """Return the mean of one value per seed and the half width t(0.975, n − 1) · s / √n of its interval (Student 1908).

    s is the standard deviation with n − 1 in the denominator. NaN values are left out and not counted.
    """
    known = values.dropna().to_numpy(dtype=float)
    n = len(known)
    mean = float(known.mean()) if n else float("nan")
    interval = float(stdtrit(n - 1, 0.975) * known.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return Estimate(mean, interval, n)


def mean_per_seed(frame: pd.DataFrame, columns: Sequence[tuple[str, str, str]]) -> pd.Series:
    """Return the mean over `columns` (task, target, metric) of one run's tidy frame, for each seed that has all of
    them.

    Returns:
        Float series indexed by seed. Averaging within each seed first keeps the correlation between the columns of a
        seed.
    """
    wide = frame.pivot(index="seed", columns=["task", "target", "metric"], values="value")
    return wide.reindex(columns=pd.MultiIndex.from_tuples(columns)).dropna().mean(axis=1)


def above_chance(values: pd.Series | pd.DataFrame, chance: pd.Series | float) -> pd.Series | pd.DataFrame:
    """Return 100 · (value − chance) / (100 − chance): 0 is chance, 100 is perfect, below 0 is worse than chance.

    This is Cohen's kappa (1960) in percent, with `chance` as the expected agreement. For mean per-class accuracy,
    where chance is 1/C, it is the adjusted balanced accuracy of scikit-learn (`balanced_accuracy_score`).

    Args:
        values: percent.
        chance: percent; NaN if it is not known. The result is NaN then, and if chance is 100.
    """
    room = 100 - chance
    return 100 * (values - chance) / (room.where(room > 0) if isinstance(room, pd.Series) else room or float("nan"))
