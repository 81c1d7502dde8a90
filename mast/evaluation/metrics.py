"""Accuracies of a classification, and the level of a guess."""

from collections.abc import Iterable

import numpy as np


def percentage(correct: np.ndarray) -> float:
    """Percentage of true values in bool [N]."""
    return 100 * int(correct.sum()) / len(correct)


TOP = 5
"""The 5 of top-5 accuracy, which is given for targets with more classes than this."""


def classification_metrics(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return accuracies of classifying by the highest scores, percent.

    Args:
        scores: float [N, C]; −∞ for a class that cannot be the guess.
        labels: int [N], in [0, C).

    Returns:
        `top1`; `top5` where C > 5; `mean_per_class`, the mean over the occurring classes of the share that is
        classified correctly.
    """
    correct = scores.argmax(axis=1) == labels
    per_class = [percentage(correct[labels == label]) for label in np.unique(labels)]
    metrics = {"top1": percentage(correct)}
    if scores.shape[1] > TOP:
        highest = np.argpartition(-scores, TOP, axis=1)[:, :TOP]
        guessed = np.take_along_axis(scores, highest, axis=1) > -np.inf
        metrics["top5"] = percentage(((highest == labels[:, None]) & guessed).any(axis=1))
    return metrics | {"mean_per_class": sum(per_class) / len(per_class)}


def chance_levels(targets: Iterable[str], labels: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the level of chance, percent: target → metric of `classification_metrics` → level.

    For `top1` the guess is always the most frequent class, for `top5` the five most frequent, for `mean_per_class` any
    class. With as many images of each of C classes that is 100/C, 500/C and 100/C.

    Args:
        targets: names of the T targets.
        labels: labels of the scored images, int [N, T].
    """
    levels = {}
    for column, target in enumerate(targets):
        shares = np.sort(np.unique(labels[:, column], return_counts=True)[1])[::-1] / len(labels)
        guesses = {"top1": shares[0], "top5": shares[:TOP].sum(), "mean_per_class": 1 / len(shares)}
        levels[target] = {metric: 100 * min(float(share), 1.0) for metric, share in guesses.items()}
    return levels
