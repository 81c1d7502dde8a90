"""Looks at an encoder while it trains: do its features know the labels yet?"""

import logging

import numpy as np

from mast.config.monitor import MonitorSpec
from mast.data.prepared.store import PreparedData
from mast.evaluation.features import encode
from mast.learner import Learner
from mast.protocols.knn import class_votes, nearest_neighbours

NEIGHBOURS, TEMPERATURE = 20, 0.07
"""Of the weighted nearest neighbours, as in the protocol `knn`."""

RIDGE = 1e-3
"""Of the linear probe: λ relative to the mean square of the features."""

log = logging.getLogger(__name__)


class Monitor:
    """Top-1 of nearest neighbours and of a linear probe on a few training images, the mean over targets.

    The images are taken in the state in which they were prepared, and neither weights, batch statistics nor random
    numbers are touched: the encoder becomes the same with and without.
    """

    def __init__(self, spec: MonitorSpec, data: PreparedData, learner: Learner, steps_per_epoch: int) -> None:
        """Choose the images; without labels nothing is looked at, and a warning says so."""
        labels = data.labels("train")
        if spec.epochs and labels is None:
            log.warning("monitor: %r has no labels, so nothing is looked at; leave monitor out", data.name)
        self._every = spec.epochs * steps_per_epoch if labels is not None else 0
        if self._every:
            asked = np.asarray(data.val_indices)[: spec.images // 4]
            known = np.setdiff1d(np.arange(len(labels)), data.val_indices)[: spec.images - len(asked)]
            images = data.images("train")
            self._known, self._asked = (np.stack([np.array(images[row]) for row in rows]) for rows in (known, asked))
            self._known_labels, self._asked_labels = np.asarray(labels)[known], np.asarray(labels)[asked]
            self._classes = [len(names) for names in data.targets.values()]
        self._learner = learner

    def due(self, done: int, steps: int) -> bool:
        """Whether to look after `done` of `steps` steps: every `epochs` epochs, and at the end."""
        return bool(self._every) and (done % self._every == 0 or done == steps)

    def look(self) -> dict[str, float]:
        """`knn` and `probe`, percent."""
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
            right = [
                predict(known, known_labels, asked, classes).argmax(axis=1) == asked_labels
                for known_labels, asked_labels, classes in columns
            ]
            seen[name] = round(100 * float(np.mean(right)), 2)
        return seen


def _neighbours(known: np.ndarray, labels: np.ndarray, asked: np.ndarray, classes: int) -> np.ndarray:
    """Votes [M, C] of weighted nearest neighbours."""
    similarity, places = nearest_neighbours(known, asked, min(NEIGHBOURS, len(known)))
    return class_votes(similarity, labels[places], classes, TEMPERATURE)


def _probe(known: np.ndarray, labels: np.ndarray, asked: np.ndarray, classes: int) -> np.ndarray:
    """Scores [M, C] of ridge regression on one-hot labels, in float64: a linear probe in one solution."""
    centre = known.mean(axis=0, dtype=np.float64)
    known, asked = known - centre, asked - centre
    wanted = np.eye(classes)[labels]
    level = wanted.mean(axis=0)
    strength = RIDGE * len(known) * max(float(np.square(known).mean()), np.finfo(np.float64).tiny)
    weights = np.linalg.solve(known.T @ known + strength * np.eye(known.shape[1]), known.T @ (wanted - level))
    return asked @ weights + level
