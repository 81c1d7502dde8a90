"""Measurements of an encoder while it trains: how well its features predict the labels."""

import logging
from collections.abc import Callable

import numpy as np

from mast.config.monitor import MonitorSpec
from mast.data.prepared.store import PreparedData
from mast.evaluation.features import encode
from mast.learner import Learner
from mast.protocols.knn import class_votes, nearest_neighbours

NEIGHBOURS, TEMPERATURE = 20, 0.07
"""Number and temperature of the weighted nearest neighbours, as in the protocol `knn`."""

RIDGE = 1e-3
"""Ridge λ of the linear probe, relative to the mean square of the features."""

log = logging.getLogger(__name__)

Predict = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]


class Monitor:
    """Top-1 of nearest neighbours and of a linear probe on a few training images, mean over targets.

    The images are chosen at random, the same ones for every run, and used as prepared. Ignored labels are left out.
    Weights, batch statistics and torch's random numbers are not changed: the encoder is the same with and without the
    monitor.
    """

    def __init__(self, spec: MonitorSpec, data: PreparedData, learner: Learner, steps_per_epoch: int) -> None:
        """Choose the images. If none has labels, nothing is measured, and a warning is logged."""
        self._learner, self._every = learner, spec.epochs * steps_per_epoch
        labels = data.labels("train")
        if labels is None:
            self._leave_out(f"{data.name!r} has no labels")
            return
        random = np.random.default_rng(0)  # data may be sorted by class
        asked = _some(random, np.asarray(data.val_indices), spec.images // 4)
        known = _some(random, np.setdiff1d(np.arange(len(labels)), data.val_indices), spec.images - len(asked))
        self._known_labels, self._asked_labels = (np.asarray(labels[rows]) for rows in (known, asked))
        if not ((self._known_labels >= 0).any(axis=0) & (self._asked_labels >= 0).any(axis=0)).any():
            self._leave_out(f"{data.name!r} has no labels among {len(known)} and {len(asked)} images")
            return
        images = data.images("train")
        self._known, self._asked = (np.array(images[rows]) for rows in (known, asked))
        self._classes = [len(names) for names in data.targets.values()]

    def _leave_out(self, why: str) -> None:
        if self._every:
            log.warning("monitor: %s, so nothing is measured; leave monitor out", why)
        self._every = 0

    def due(self, done: int, steps: int) -> bool:
        """Return whether to measure after `done` of `steps` steps: every `epochs` epochs, and at the end."""
        return bool(self._every) and (done % self._every == 0 or done == steps)

    def look(self) -> dict[str, float]:
        """Return `knn` and `probe`, percent."""
        learner = self._learner
        mean, std, device = learner.mean, learner.std, learner.mean.device
        try:
            known, asked = (
                np.concatenate(list(encode(learner.encoder, images, mean, std, str(device))))
                for images in (self._known, self._asked)
            )
        finally:
            learner.encoder.train()
        seen = {}
        for name, predict in (("knn", _neighbours), ("probe", _probe)):
            columns = zip(self._known_labels.T, self._asked_labels.T, self._classes, strict=True)
            found = [_top1(predict, (known, own), (asked, wanted), classes) for own, wanted, classes in columns]
            seen[name] = round(100 * float(np.mean([share for share in found if share is not None])), 2)
        return seen


def _some(random: np.random.Generator, rows: np.ndarray, count: int) -> np.ndarray:
    """Return at most `count` of the rows, ascending."""
    return np.sort(random.choice(rows, min(count, len(rows)), replace=False))


def _top1(
    predict: Predict, known: tuple[np.ndarray, np.ndarray], asked: tuple[np.ndarray, np.ndarray], classes: int
) -> float | None:
    """Return the share of right predictions of one target, from features and labels; None if all labels are ignored
    (−1).
    """
    (known, known_labels), (asked, asked_labels) = ((part[own >= 0], own[own >= 0]) for part, own in (known, asked))
    if not len(known) or not len(asked):
        return None
    return float(np.mean(predict(known, known_labels, asked, classes).argmax(axis=1) == asked_labels))


def _neighbours(known: np.ndarray, labels: np.ndarray, asked: np.ndarray, classes: int) -> np.ndarray:
    """Return votes [M, C] of weighted nearest neighbours."""
    similarity, places = nearest_neighbours(known, asked, min(NEIGHBOURS, len(known)))
    return class_votes(similarity, labels[places], classes, TEMPERATURE)


def _probe(known: np.ndarray, labels: np.ndarray, asked: np.ndarray, classes: int) -> np.ndarray:
    """Return scores [M, C] of ridge regression on one-hot labels, in float64: a linear probe in closed form."""
    centre = known.mean(axis=0, dtype=np.float64)
    known, asked = known - centre, asked - centre
    wanted = np.eye(classes)[labels]
    level = wanted.mean(axis=0)
    strength = RIDGE * len(known) * max(float(np.square(known).mean()), np.finfo(np.float64).tiny)
    weights = np.linalg.solve(known.T @ known + strength * np.eye(known.shape[1]), known.T @ (wanted - level))
    return asked @ weights + level
