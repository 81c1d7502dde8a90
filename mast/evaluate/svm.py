"""Linear SVMs on frozen features of multi-label images: one per class, scored by average precision."""

import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import precision_recall_curve
from sklearn.model_selection import cross_val_score
from sklearn.svm import LinearSVC

from mast.config import SvmProtocol
from mast.errors import MastError
from mast.evaluate.features_file import PRESENCE, Split, read_features, select
from mast.evaluate.metrics import Metrics, write_metrics

VERSION = 1
"""Raised when a change of this file changes results."""

SMALLEST_NORM = 1e-5
"""Added to each image's norm before its features are divided by it (svm_trainer.py)."""

TOLERANCE = 1e-4
"""Of liblinear's stopping rule (svm_trainer.py)."""

ALL_CLASSES = "classes"
"""Target of the mean over the classes of a multi-label data set."""


def evaluate_svm(protocol: str, spec: SvmProtocol, features: Path, output: Path) -> None:
    """Fit and score a linear SVM for every class of a task; write one metrics file (percent).

    The protocol is VISSL's (svm_trainer.py; voc07 configuration): features divided by their norm; squared hinge loss,
    images of the class weighted; C chosen for each class by the mean average precision of stratified cross-validation
    on the training images (of equals the first), the SVM refitted on all of them and scored once. Images for which a
    class is to be ignored count as images without it in training and are left out of its score.

    A target with the classes `absent` and `present` is one class of a multi-label data set: its metric is `AP`, and
    their mean is `mAP` of the target `classes`. Of any other target each value is a class, and the metric is `mAP`.

    Raises:
        MastError: the features file is unusable; or a class has fewer training images with or without it than folds, or
            none to score.
    """
    started = time.perf_counter()
    data = read_features(features, ignore=True)
    split = select(data, spec.split)
    train, score = unit_rows(split.train_features), unit_rows(split.score_features)
    precisions: dict[str, dict[str, float]] = {}
    costs: dict[str, dict[str, float]] = {}
    for column, (target, classes) in enumerate(data.classes.items()):
        precisions[target], costs[target] = {}, {}
        for value in range(1, 2) if tuple(classes) == PRESENCE else range(len(classes)):
            shown, tested = split.train_labels[:, column] == value, split.score_labels[:, column]
            name = target if tuple(classes) == PRESENCE else f"{target} {classes[value]}"
            _check_class(protocol, spec, features, name, shown, tested == value)
            cost = choose_cost(train, shown, spec)
            known = tested >= 0
            scores = fit(train, shown, cost, spec).decision_function(score[known])
            precisions[target][classes[value]] = 100 * average_precision(tested[known] == value, scores)
            costs[target][classes[value]] = cost
    write_metrics(
        output,
        protocol=protocol,
        spec=spec,
        version=VERSION,
        metadata=data.metadata,
        metrics=_metrics(precisions, {target for target, names in data.classes.items() if tuple(names) == PRESENCE}),
        counts=_counts(split),
        seconds=time.perf_counter() - started,
        details={"costs": costs},
    )


def choose_cost(features: np.ndarray, shown: np.ndarray, spec: SvmProtocol) -> float:
    """The C with the best cross-validated average precision for a class; `shown` is bool [N]."""
    means = [
        cross_val_score(svm(cost, spec), features, shown, cv=spec.folds, scoring="average_precision").mean()
        for cost in spec.costs
    ]
    return spec.costs[int(np.argmax(means))]


def fit(features: np.ndarray, shown: np.ndarray, cost: float, spec: SvmProtocol) -> LinearSVC:
    """An SVM fitted to features [N, D] and bool [N]."""
    return svm(cost, spec).fit(features, shown)


def svm(cost: float, spec: SvmProtocol) -> LinearSVC:
    """The classifier, not fitted."""
    return LinearSVC(
        C=cost,
        class_weight={True: spec.positive_weight, False: 1},
        tol=TOLERANCE,
        max_iter=spec.max_iterations,
        random_state=0,
    )
