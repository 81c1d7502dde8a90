"""Relation of predicted uncertainty to difficulty: rank correlations, and the images at both ends."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from torch import Tensor
from torch.nn import functional

from mast.analysis.uncertainty import Predictions
from mast.columns import ANALYSIS_COLUMNS

RESAMPLES = 2000
SEED = 0
"""Seed of the bootstrap."""

NEIGHBOURS = 20
EXTREMES = 16
"""Number of images kept at each end."""


def spearman(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    """Return Spearman's rank correlation of [L, N] values, and its 95 % percentile bootstrap interval over the N
    images.

    An image is drawn with all of its L values, because these belong together. Ranks are those of the whole sample and
    are not computed again in each resample. The result is NaN if either is constant.
    """
    ranks = [rankdata(values).reshape(values.shape) for values in (first, second)]
    x, y = (own - own.mean() for own in ranks)
    moments = np.stack([x, y, x * x, y * y, x * y, np.ones_like(x)]).sum(axis=1)
    correlation = _correlation(moments.sum(axis=1)[:, None])[0]
    if np.isnan(correlation):
        return (float("nan"),) * 3
    low, high = np.nanquantile(_correlation(moments @ _resamples(moments.shape[1])), [0.025, 0.975])
    return float(correlation), float(low), float(high)


@lru_cache(maxsize=1)
def _resamples(images: int) -> np.ndarray:
    """Return how often each image is drawn in each resample, float64 [N, RESAMPLES]."""
    draws = np.random.default_rng(SEED).multinomial(images, np.full(images, 1 / images), RESAMPLES)
    return draws.T.astype(np.float64)


def neighbour_errors(bank: Tensor, bank_labels: np.ndarray, queries: Tensor, labels: np.ndarray) -> np.ndarray:
    """Return the share of an image's nearest neighbours, by cosine similarity of features, that are of another class.

    Args:
        bank: features [M, D] of the images among which neighbours are searched; min(M, `NEIGHBOURS`) are used.
        bank_labels: int [M, T].
        queries: features [N, D].
        labels: int [N, T].

    Returns:
        float [N, T] in [0, 1].
    """
    similarity = functional.normalize(queries.float(), dim=1) @ functional.normalize(bank.float(), dim=1).T
    nearest = similarity.topk(min(NEIGHBOURS, len(bank)), dim=1).indices.cpu().numpy()
    return (bank_labels[nearest] != labels[:, None]).mean(axis=1)


def measure_difficulty(predictions: Predictions, errors: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Correlate predicted σ with the strength of each augmentation, and with each error of the plain images.

    Args:
        predictions: augmentation → its steps, from the plain images to the strongest.
        errors: name → errors [N] of the same images.

    Returns:
        The table `difficulty`; `against` is `strength` or `error`, `count` the number of images.
    """
    records = []
    for name, steps in predictions.items():
        strength, sigma = (np.stack([step[part].numpy() for step in steps]) for part in (0, 1))
        records.append(("strength", name, *spearman(strength, sigma), sigma.shape[1]))
    plain = _plain(predictions)
    for name, error in errors.items():
        records.append(("error", name, *spearman(error[None], plain[None]), len(plain)))
    return pd.DataFrame(records, columns=ANALYSIS_COLUMNS["difficulty"])


def extremes(predictions: Predictions, images: Tensor) -> dict[str, np.ndarray]:
    """Return the images of lowest and of highest σ.

    Returns:
        `images` uint8 [2, E, S, S, 3], most certain first, then least certain first; `sigma` float32 [2, E].
    """
    sigma = _plain(predictions)
    order = np.argsort(sigma, kind="stable")
    count = min(EXTREMES, len(order) // 2)
    chosen = np.stack([order[:count], order[::-1][:count]])
    return {"images": images.permute(0, 2, 3, 1).numpy()[chosen], "sigma": sigma[chosen].astype(np.float32)}


def named_errors(errors: np.ndarray, targets: Sequence[str]) -> dict[str, np.ndarray]:
    """Return columns of errors [N, T] by target; with several targets also their mean."""
    named = {target: errors[:, column] for column, target in enumerate(targets)}
    return named if len(targets) < 2 else named | {"mean": errors.mean(axis=1)}


def _plain(predictions: Predictions) -> np.ndarray:
    """Return σ [N] of the plain images; if each augmentation has its own, their mean."""
    own = np.stack([steps[0][1].numpy() for steps in predictions.values()])
    return own[0] if (own == own[0]).all() else own.mean(axis=0)


def _correlation(moments: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation from sums [6, B] of x, y, x², y², xy and 1."""
    x, y, xx, yy, xy, n = moments
    with np.errstate(divide="ignore", invalid="ignore"):
        return (n * xy - x * y) / np.sqrt((n * xx - x * x) * (n * yy - y * y))
