"""Linear SVMs on frozen features of multi-label images: one per class, scored by average precision."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from mast.errors import MastError
from mast.evaluation.features_file import PRESENCE, Features, Split, select
from mast.evaluation.inputs import FeatureInputs, Measured
from mast.protocols import PlannedTask, SplitProtocol
from mast.settings import Count, Positive

if TYPE_CHECKING:
    from sklearn.svm import LinearSVC

SMALLEST_NORM = 1e-5
"""Constant added to each image's norm before its features are divided by it (svm_trainer.py)."""

TOLERANCE = 1e-4
"""Tolerance of liblinear's stopping rule (svm_trainer.py)."""

ALL_CLASSES = "classes"
"""Target of the mean over the classes of a multi-label dataset."""


@dataclass(frozen=True)
class OneClass:
    """One class against all others."""

    target: str
    name: str
    multilabel: bool
    """Whether the class is a target of its own, with the values `absent` and `present`."""
    train: np.ndarray
    """bool [N]: training images that show the class."""
    score: np.ndarray
    """bool [M]: images to score that show the class."""
    known: np.ndarray
    """bool [M]: images to score for which the class is not ignored."""


class SvmProtocol(SplitProtocol):
    """Linear SVMs, one for each class, on frozen features of multi-label images (VISSL's VOC07 benchmark)."""

    VERSION = 2
    READS = "features"
    IGNORES = True
    SHOWN = ("mAP",)
    CHOICES = ()
    CAPTION = (
        "Multi-label evaluation: a linear SVM for each class on frozen, normalised features, its C chosen by "
        "cross-validation. Mean average precision."
    )
    TINY: ClassVar[dict[str, Any]] = {"costs": [1], "folds": 2, "max_iterations": 100}
    LATER: ClassVar[dict[str, Any]] = {"pooling": "global"}

    kind: Literal["svm-voc"]
    costs: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.01, 0.1, 1, 2, 5, 10, 15, 20, 50, 100, 1000)
    """Values of C; cross-validation chooses one for each class."""
    folds: Annotated[int, Field(ge=2)] = 3
    """Number of folds of the cross-validation that chooses C."""
    positive_weight: Positive = 2.0
    """Weight of an image that shows the class, relative to one that does not."""
    max_iterations: Count = 2000
    """Largest number of iterations of liblinear's dual coordinate descent, for each fit."""
    pooling: Literal["global", "grid"] = "global"
    """How the last stage's map becomes features. `global`: the mean over all positions. `grid`: four means, over
    windows one position smaller than the map, at the 2 × 2 positions where they fit (VISSL's `res5`).
    """

    @property
    def feature_pooling(self) -> str:
        """Pooling given by the setting."""
        return self.pooling

    def check(self, name: str, task: PlannedTask) -> None:
        """Check that every fold has an image with and one without each class, and that each class has a scored image.

        Only preparing the task tells whether two values mean absence and presence of a class, or two classes.
        """
        for target, sizes in self.class_sizes(task, "fitted"):
            fewest = min(sizes.min(), sizes.sum() - sizes.max())
            if fewest < self.folds:
                raise MastError(
                    f"protocols.{name}.folds: {self.folds} is more than the {fewest} training images with or without "
                    f"a class of target {target!r} of {task.name!r}; choose fewer folds"
                )

        for target, sizes in self.class_sizes(task, "scored"):
            # For a class and its absence, the absence is not needed: if all images show it, AP is 100, as in VISSL.
            needed = sizes[1:] if len(sizes) == len(PRESENCE) else sizes
            if needed.min() == 0:
                missing = int(needed.argmin()) + len(sizes) - len(needed)
                raise MastError(
                    f"protocols.{name}: no image of {task.name!r} to score is of class {missing} of target {target!r}; "
                    "leave the class out, or give images of it"
                )

    def evaluate(self, inputs: FeatureInputs) -> Measured:
        """Fit and score a linear SVM for every class of a task.

        The protocol is VISSL's (svm_trainer.py; configuration voc07): features divided by their norm; squared hinge
        loss, images of the class weighted; C chosen for each class by the mean average precision of stratified
        cross-validation on the training images (the first of equals); the SVM is refitted on all of them and scored
        once. Images for which a class is ignored count as images without it in training and are left out of its score.

        A target with the values `absent` and `present` is one class of a multi-label dataset: its metric is `AP`, and
        the mean over these is `mAP` of the target `classes`. In any other target each value is a class, and the metric
        is `mAP`.

        Raises:
            MastError: a class has fewer training images with or without it than folds, or no image to score.
        """
        split = select(inputs.features, self.split)
        train, score = unit_rows(split.train_features), unit_rows(split.score_features)
        every = list(classes_of(inputs.features, split))
        for one in every:
            _check_class(inputs.protocol, self, inputs.file, one)
        with _may_be_cut_off():
            costs = [choose_cost(train, one.train, self) for one in every]
            fitted = [svm(cost, self).fit(train, one.train) for one, cost in zip(every, costs, strict=True)]
        precisions = [
            100 * average_precision(one.score[one.known], model.decision_function(score)[one.known])
            for one, model in zip(every, fitted, strict=True)
        ]
        chosen = {f"{one.target} {one.name}": cost for one, cost in zip(every, costs, strict=True)}
        shown = [100 * float(one.score[one.known].mean()) for one in every]  # precision of images in any order
        counts = {"train": len(train), "test": len(score)}
        return Measured(_metrics(every, precisions), counts, {"costs": chosen}, chance=_metrics(every, shown))


def classes_of(data: Features, split: Split) -> Iterator[OneClass]:
    """Return every class of every target as a separate problem."""
    for column, (target, values) in enumerate(data.classes.items()):
        multilabel = tuple(values) == PRESENCE
        train, score = split.train_labels[:, column], split.score_labels[:, column]
        for value in (PRESENCE.index("present"),) if multilabel else range(len(values)):
            yield OneClass(target, values[value], multilabel, train == value, score == value, score >= 0)


def choose_cost(features: np.ndarray, shown: np.ndarray, spec: SvmProtocol) -> float:
    """Return the C with the best cross-validated average precision for a class; `shown` is bool [N]."""
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    folds = StratifiedKFold(spec.folds)
    means = [
        cross_val_score(svm(cost, spec), features, shown, cv=folds, scoring="average_precision").mean()
        for cost in spec.costs
    ]
    return spec.costs[int(np.argmax(means))]


def svm(cost: float, spec: SvmProtocol) -> "LinearSVC":
    """Return an unfitted classifier for features [N, D] and bool [N].

    Every setting that changes the result is VISSL's (svm_trainer.py; vissl/config/defaults.yaml, SVM). The dual is set
    explicitly: by default scikit-learn solves the primal if images outnumber dimensions, and with a large C the dual
    stops at `max_iterations` before it converges.
    """
    from sklearn.svm import LinearSVC

    return LinearSVC(
        C=cost,
        penalty="l2",
        loss="squared_hinge",
        dual=True,
        fit_intercept=True,
        intercept_scaling=1.0,
        class_weight={True: spec.positive_weight, False: 1},
        tol=TOLERANCE,
        max_iter=spec.max_iterations,
        random_state=0,
    )


def average_precision(shown: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the precision-recall curve with precision made to fall with recall, in [0, 1].

    This is VOC's measure since 2010, which VISSL uses (evaluate.py) for VOC07 too, instead of the 11-point mean.

    Args:
        shown: bool [M], at least one True.
        scores: float [M].
    """
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(shown, scores)  # recall falls from 1 to 0
    return min(float(-np.diff(recall) @ np.maximum.accumulate(precision)[:-1]), 1.0)  # rounding


def unit_rows(features: np.ndarray) -> np.ndarray:
    """Return float features [N, D] divided by their norms, float64."""
    features = features.astype(np.float64)
    return features / (np.linalg.norm(features, axis=1, keepdims=True) + SMALLEST_NORM)


@contextmanager
def _may_be_cut_off() -> Iterator[None]:
    """Suppress scikit-learn's warning of fits that end at `max_iterations`, which is part of the protocol."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _metrics(every: list[OneClass], precisions: list[float]) -> dict[str, dict[str, float]]:
    found: dict[str, list[float]] = {}
    for one, precision in zip(every, precisions, strict=True):
        found.setdefault(ALL_CLASSES if one.multilabel else one.target, []).append(precision)
    alone = {one.target: {"AP": precision} for one, precision in zip(every, precisions, strict=True) if one.multilabel}
    return {target: {"mAP": float(np.mean(values))} for target, values in found.items()} | alone


def _check_class(protocol: str, spec: SvmProtocol, features: Path, one: OneClass) -> None:
    fewest = min(one.train.sum(), (~one.train).sum())
    if fewest < spec.folds:
        raise MastError(
            f"protocols.{protocol}.folds: {spec.folds} folds, but {features} has {fewest} training images with or "
            f"without class {one.name!r} of target {one.target!r}; choose fewer folds"
        )
    if not one.score.any():
        raise MastError(f"{features}: no image to score shows class {one.name!r} of target {one.target!r}")
