"""Linear probe: multinomial logistic regression on frozen features, by L-BFGS."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from mast.errors import MastError
from mast.evaluation.features_file import Split, select
from mast.evaluation.inputs import FeatureInputs, Measured
from mast.evaluation.metrics import chance_levels, classification_metrics
from mast.protocols import CLASSIFICATION, PlannedTask, SplitProtocol
from mast.settings import Count, Positive

CHOOSING = ("top1", "mean_per_class")
"""Metrics that choose a strength, each separately (transfer_linear_eval.py, `--metric`: `top1`, `class-avg`)."""

DECIMALS = 9
"""Accuracies that agree to this number of decimals of a percent count as equal, since a mean over classes has rounding
errors.
"""


class LinearProtocol(SplitProtocol):
    """Multinomial logistic regression on frozen features by L-BFGS (AugSelf, transfer_linear_eval.py)."""

    VERSION = 2
    READS = "features"
    CHOICES = CLASSIFICATION
    CAPTION = (
        "Linear evaluation: multinomial logistic regression by L-BFGS on frozen, unnormalised features. The strength "
        "of the regularisation is chosen on the validation images, by the metric that is shown; the classifier is then "
        "fitted again on all training images and tested once."
    )
    TINY: ClassVar[dict[str, Any]] = {
        **{"strengths": 2, "strength_range": [1.0e-3, 1.0]},
        **{"max_iterations": 100, "tolerance": 1.0e-4},
    }

    kind: Literal["linear-lbfgs"]
    strengths: Annotated[int, Field(ge=1, le=200)] = 45
    """Number of regularisation strengths, log-spaced, tried on the validation images."""
    strength_range: tuple[Positive, Positive] = (1e-6, 1e5)
    """Smallest and largest strength w of w‖θ‖², relative to the summed cross-entropy."""
    max_iterations: Count = 5000
    """Largest number of iterations of L-BFGS for each fit."""
    tolerance: Positive = 1e-9
    """A fit ends when a step lowers the objective, nats per image, by no more than this share of it; for an objective
    below 1, by no more than this value (scipy's `ftol`).
    """

    def check(self, name: str, task: PlannedTask) -> None:
        """Check that there are images to fit on and others to choose on."""
        labels = task.labels()
        if labels is None:
            return
        count, held_out = len(labels.train), len(labels.validation)
        if self.split == "val":
            count, held_out = count - held_out, round(held_out / count * (count - held_out))
        if not 0 < held_out < count:
            raise MastError(
                f"protocols.{name}: {count} training images of {task.name!r}, {held_out} of them to choose on, leave "
                "none for one of the two; give more images, or change validation_fraction"
            )

    def evaluate(self, inputs: FeatureInputs) -> Measured:
        """Fit and score linear classifiers for every target of a task.

        The metrics are top-1 and mean per class, and top-5 if a target has more than 5 classes. The protocol is
        AugSelf's (transfer_linear_eval.py): features as they are, neither normalised nor augmented; summed
        cross-entropy + w‖θ‖², bias included; w from log-spaced values in ascending order, each fit started from the one
        before; w is chosen on the validation images (the weakest of equals, which comes first); the classifier is
        refitted on all training images and scored once. The choice is made by the metric that is reported, as with
        AugSelf's `--metric`: top-1 and mean per class may come from two classifiers. Top-5, which AugSelf does not
        have, is that of the classifier chosen by top-1. `details.strengths` of the metrics file has the choices.

        Raises:
            MastError: there are no validation images to choose w on.
        """
        split = select(inputs.features, self.split)
        if not split.validation.any() or split.validation.all():
            raise MastError(
                f"{inputs.file}: val_indices leave no images to fit on or to choose on; prepare the data again"
            )
        probe, metrics, strengths = LinearProbe(split, self), {}, {}
        for column, (target, classes) in enumerate(inputs.features.classes.items()):
            metrics[target], strengths[target] = probe.metrics(column, len(classes))
        counts = {"train": len(split.train_features), "test": len(split.score_features)}
        chance = chance_levels(inputs.features.classes, split.score_labels)
        return Measured(metrics, counts, {"strengths": strengths}, chance=chance)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.strength_range[0] > self.strength_range[1]:
            raise ValueError("strength_range: the first strength is larger than the second; swap them")
        return self


class LinearProbe:
    """Logistic regression on one split, for any of its label columns."""

    def __init__(self, split: Split, spec: LinearProtocol) -> None:
        """Rotate the features once for all label columns."""
        self.split = split
        self.spec = spec
        self.fitting = PrincipalFeatures.of(split.train_features[~split.validation])
        self.refitting = PrincipalFeatures.of(split.train_features)

    def metrics(self, column: int, classes: int) -> tuple[dict[str, float], dict[str, float]]:
        """Return accuracies on the images to score, and the strengths chosen by the metrics of `CHOOSING`."""
        labels, validation = self.split.train_labels[:, column], self.split.validation
        strengths = np.geomspace(*self.spec.strength_range, self.spec.strengths)
        path = list(fit_path(self.fitting, labels[~validation], classes, strengths, self.spec))
        held_out = with_ones(self.split.train_features[validation])
        validated = [classification_metrics(held_out @ theta.T, labels[validation]) for theta in path]
        chosen = {metric: first_best([scores[metric] for scores in validated]) for metric in CHOOSING}
        scored = {best: self._scored(column, classes, strengths[best], path[best]) for best in set(chosen.values())}
        own = {metric: scored[best][metric] for metric, best in chosen.items()}
        return scored[chosen["top1"]] | own, {metric: float(strengths[best]) for metric, best in chosen.items()}

    def _scored(self, column: int, classes: int, strength: float, start: np.ndarray) -> dict[str, float]:
        """Return accuracies on the images to score, of a classifier fitted to all training images."""
        labels = self.split.train_labels[:, column]
        (theta,) = fit_path(self.refitting, labels, classes, [strength], self.spec, start=start)
        return classification_metrics(
            with_ones(self.split.score_features) @ theta.T, self.split.score_labels[:, column]
        )


def first_best(accuracies: Sequence[float]) -> int:
    """Return the position of the highest accuracy, percent; the first one of equals (up to rounding)."""
    return int(np.argmax(np.round(accuracies, DECIMALS)))


@dataclass(frozen=True)
class PrincipalFeatures:
    """Features with a column of ones, rotated to their principal axes.

    A rotation changes neither the loss nor ‖θ‖², so the optimum is the same. But along these axes the curvature of the
    loss is known, and scaling by it lets L-BFGS converge in tens of steps, not thousands.
    """

    values: np.ndarray
    """float64 [N, D + 1]."""
    axes: np.ndarray
    """float64 [D + 1, D + 1], orthogonal; column i is the i-th axis."""
    squares: np.ndarray
    """float64 [D + 1]: sum of squares of each column of `values`."""

    @classmethod
    def of(cls, features: np.ndarray) -> "PrincipalFeatures":
        """Rotate float features [N, D]."""
        values = with_ones(features)
        squares, axes = np.linalg.eigh(values.T @ values)
        return cls(np.ascontiguousarray(values @ axes), axes, np.maximum(squares, 0))


def fit_path(
    features: PrincipalFeatures,
    labels: np.ndarray,
    classes: int,
    strengths: Iterable[float],
    spec: LinearProtocol,
    start: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """Yield the classifier for each strength in turn, each fit started from the last.

    Args:
        features: features of N images.
        labels: int [N], in [0, classes).
        classes: number C of classes.
        strengths: values of w.
        spec: `max_iterations` and `tolerance` of L-BFGS.
        start: classifier [C, D + 1] to start from; zeros by default.

    Yields:
        float64 [C, D + 1]: weights, and in the last column biases.
    """
    from scipy.optimize import minimize

    targets = np.ascontiguousarray(np.eye(classes)[labels].T)
    rotated = np.zeros((classes, len(features.axes))) if start is None else start @ features.axes
    for strength in strengths:
        scale = 1 / np.sqrt(features.squares / classes + 2 * strength)
        result = minimize(
            _objective,
            (rotated / scale).ravel(),
            args=(features.values, targets, strength, scale),
            jac=True,
            method="L-BFGS-B",
            options={
                "maxiter": spec.max_iterations,
                "maxfun": 2 * spec.max_iterations,
                "ftol": spec.tolerance,
                "gtol": 0,
            },
        )
        rotated = result.x.reshape(rotated.shape) * scale
        yield rotated @ features.axes.T


def with_ones(features: np.ndarray) -> np.ndarray:
    """Return float features [N, D] with a last column of ones for the bias, float64 [N, D + 1]."""
    return np.column_stack([features, np.ones(len(features))]).astype(np.float64)


def _objective(
    flat: np.ndarray, values: np.ndarray, targets: np.ndarray, strength: float, scale: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return (summed cross-entropy + strength · ‖θ‖²) / N and its gradient, both in the variable θ / scale; classes
    first.
    """
    theta = flat.reshape(len(targets), -1) * scale
    scores = theta @ values.T
    scores -= scores.max(axis=0)
    likelihood = np.exp(scores)
    partition = likelihood.sum(axis=0)
    loss = np.log(partition).sum() - np.vdot(scores, targets) + strength * np.vdot(theta, theta)
    gradient = (likelihood / partition - targets) @ values + 2 * strength * theta
    return float(loss) / len(values), (gradient * scale).ravel() / len(values)
