"""Few-shot classification: a logistic regression on frozen features in each of many small episodes."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from mast.errors import MastError
from mast.evaluation.features_file import select
from mast.evaluation.inputs import FeatureInputs, Measured
from mast.protocols import PlannedTask, SplitProtocol
from mast.settings import Count, Positive

EPISODES_PER_CHUNK = 100

NEWTON_STEPS = 30
"""Largest number of Newton steps; 5 to 10 are usual."""

TOLERANCE = 1e-8
"""A fit ends when no score on the labelled images changes by more than this."""

ROUNDING = 1e-12
"""Relative rise of the objective that counts as rounding."""

NORMAL_QUANTILE = 1.96
"""Half width of the 95 % interval in standard errors (transfer_few_shot.py)."""


class FewShotProtocol(SplitProtocol):
    """Episodes of few labelled images, with a logistic regression for each (AugSelf, transfer_few_shot.py)."""

    READS = "features"
    CHOICES = ("top1",)
    CAPTION = (
        "Few-shot evaluation: in each episode a logistic regression is fitted to a few labelled images of a few "
        "classes, on frozen features, and tested on other images of these classes. Mean over the episodes."
    )
    TINY: ClassVar[dict[str, Any]] = {"shots": 1, "queries": 1, "episodes": 10}
    LATER: ClassVar[dict[str, Any]] = {"small_classes": "refused"}

    kind: Literal["few-shot"]
    shots: Count = 5
    """Number of labelled images per class and episode."""
    ways: Annotated[int, Field(ge=2)] = 5
    """Number of classes per episode. A target with fewer classes uses all of them in every episode."""
    queries: Count = 16
    """Number of images to classify per class and episode."""
    episodes: Annotated[int, Field(ge=2)] = 2000
    """Number of episodes, over which the accuracy is averaged."""
    inverse_strength: Positive = 1.0
    """C of ½‖θ‖² + C · summed loss, bias included (scikit-learn's default, as in the source)."""
    seed: int = 0
    """Seed of the episodes: every encoder is scored on the same ones."""
    small_classes: Literal["refused", "repeated"] = "refused"
    """What happens to classes with fewer images than an episode takes. `refused`: they are an error. `repeated`: as in
    the source, classes with no more than `shots` images are left out, and queries of the others may be drawn
    repeatedly.
    """

    def check(self, name: str, task: PlannedTask) -> None:
        """Check that an episode takes no more images of a class than there are."""
        for target, sizes in self.class_sizes(task, "scored"):
            if self.small_classes == "repeated":
                self._check_large_enough(f"of target {target!r} of {task.name!r}", name, sizes)
            elif sizes.min() < self.shots + self.queries:
                raise MastError(
                    f"protocols.{name}: {self.shots} shots and {self.queries} queries are more than the {sizes.min()} "
                    f"images of a class of target {target!r} of {task.name!r}; choose fewer, or more images"
                )

    def _check_large_enough(self, where: str, name: str, sizes: np.ndarray) -> None:
        """Raise MastError unless two classes, of the sizes int [C], have more images than `shots`."""
        if (left := int((sizes > self.shots).sum())) < 2:
            raise MastError(
                f"protocols.{name}.shots: {left} class(es) {where} with more than {self.shots} images; two are needed; "
                "choose fewer"
            )

    def evaluate(self, inputs: FeatureInputs) -> Measured:
        """Score frozen features on few-shot episodes.

        The protocol is AugSelf's (transfer_few_shot.py): each episode draws `ways` classes and, of each, `shots`
        labelled images and `queries` others, all from the images to score; features as they are; one-against-rest
        logistic regression ½‖θ‖² + C · summed loss with the bias in θ (what liblinear minimises); a query is assigned
        to the class with the highest score. `top1` is the mean over episodes, `top1_ci95` the half width of its 95 %
        interval.

        Raises:
            MastError: a class has fewer images than an episode takes.
        """
        data, metrics, ways = inputs.features, {}, {}
        split = select(data, self.split)
        for column, (target, classes) in enumerate(data.classes.items()):
            labels = split.score_labels[:, column]
            _check_classes(inputs.protocol, self, inputs.file, target, labels, classes)
            ways[target] = min(self.ways, len(_classes_of_episodes(labels, self)))
            accuracies = 100 * episode_accuracies(split.score_features, labels, self)
            deviation = accuracies.std(ddof=1)
            metrics[target] = {
                "top1": float(accuracies.mean()),
                "top1_ci95": float(NORMAL_QUANTILE * deviation / np.sqrt(len(accuracies))),
            }
        counts = {"train": 0, "test": len(split.score_features), "episodes": self.episodes}
        chance = {target: {"top1": 100 / count} for target, count in ways.items()}
        return Measured(metrics, counts, {"ways": ways}, chance=chance)


def episode_accuracies(features: np.ndarray, labels: np.ndarray, spec: FewShotProtocol) -> np.ndarray:
    """Return the share of queries classified correctly in each episode, float64 [episodes].

    Args:
        features: float [N, D].
        labels: int [N]; without `small_classes: repeated` each occurring class has at least `shots + queries` images.
        spec: settings of the episodes.
    """
    episodes = draw_episodes(labels, spec)
    accuracies = []
    for start in range(0, len(episodes), EPISODES_PER_CHUNK):
        chunk = features[episodes[start : start + EPISODES_PER_CHUNK]].astype(np.float64)
        chunk = np.concatenate([chunk, np.ones((*chunk.shape[:-1], 1))], axis=-1)
        support, queries = chunk[:, :, : spec.shots], chunk[:, :, spec.shots :]
        predicted = classify(_flat(support), _flat(queries), support.shape[1], spec.inverse_strength)
        expected = np.repeat(np.arange(support.shape[1]), spec.queries)
        accuracies.append((predicted == expected).mean(axis=1))
    return np.concatenate(accuracies)


def draw_episodes(labels: np.ndarray, spec: FewShotProtocol) -> np.ndarray:
    """Return the positions of each episode's images, int64 [episodes, ways, shots + queries].

    No image occurs twice in an episode, except queries of a class with too few images. Each of these is drawn from all
    images that are not shots (transfer_few_shot.py, FewShotBatchSampler).
    """
    generator = np.random.default_rng(spec.seed)
    members = [np.flatnonzero(labels == label) for label in _classes_of_episodes(labels, spec)]
    ways, taken = min(spec.ways, len(members)), spec.shots + spec.queries

    def drawn(own: np.ndarray) -> np.ndarray:
        order = generator.permutation(own)
        if len(own) >= taken:
            return order[:taken]
        return np.concatenate([order[: spec.shots], generator.choice(order[spec.shots :], spec.queries)])

    return np.array(
        [[drawn(members[way]) for way in generator.permutation(len(members))[:ways]] for _ in range(spec.episodes)]
    )


def _classes_of_episodes(labels: np.ndarray, spec: FewShotProtocol) -> np.ndarray:
    """Return the classes that occur and are drawn, int [C]."""
    found, counts = np.unique(labels, return_counts=True)
    return found[counts > spec.shots] if spec.small_classes == "repeated" else found


def classify(support: np.ndarray, queries: np.ndarray, ways: int, inverse_strength: float) -> np.ndarray:
    """Return the class of each query under one-against-rest logistic regression, int64 [E, Q].

    Args:
        support: float64 [E, ways · shots, D], sorted by class, with the column of the bias.
        queries: float64 [E, Q, D].
        ways: number of classes.
        inverse_strength: constant C.
    """
    kernel = support @ support.transpose(0, 2, 1)
    members = np.repeat(np.eye(ways), support.shape[1] // ways, axis=1)
    weights = fit_dual(kernel[:, None], np.broadcast_to(members, (len(support), *members.shape)), inverse_strength)
    scores = weights @ support @ queries.transpose(0, 2, 1)
    return scores.argmax(axis=1)


def fit_dual(kernel: np.ndarray, targets: np.ndarray, inverse_strength: float) -> np.ndarray:
    """Fit logistic regressions by Newton's method in the space of scores (Rasmussen & Williams 2006, algorithm 3.1).

    With θ = Σ_n a_n x_n the objective is ½ aᵀKa + C Σ_n log(1 + exp(∓(Ka)_n)); a step that does not lower the objective
    is halved.

    Args:
        kernel: float64 [..., n, n], inner products K of the images.
        targets: float64 [..., n], 1 for an image of the class and 0 for any other.
        inverse_strength: constant C.

    Returns:
        Coefficients a, float64 [..., n].
    """
    a = np.zeros(targets.shape)
    scores = np.zeros(targets.shape)
    value = _objective(a, scores, targets, inverse_strength)
    for _ in range(NEWTON_STEPS):
        probability = 1 / (1 + np.exp(-np.clip(scores, -500, 500)))
        curvature = inverse_strength * probability * (1 - probability)
        root = np.sqrt(curvature)
        pull = curvature * scores + inverse_strength * (targets - probability)
        matrix = np.eye(kernel.shape[-1]) + root[..., :, None] * kernel * root[..., None, :]
        pulled = root * (kernel @ pull[..., None])[..., 0]
        step = pull - root * np.linalg.solve(matrix, pulled[..., None])[..., 0] - a
        moved = (kernel @ step[..., None])[..., 0]
        share = np.ones((*targets.shape[:-1], 1))
        for _ in range(NEWTON_STEPS):
            after = _objective(a + share * step, scores + share * moved, targets, inverse_strength)
            worse = after > value * (1 + ROUNDING)
            if not worse.any():
                break
            share[worse] /= 2
        a, scores, value = a + share * step, scores + share * moved, after
        if np.abs(share * moved).max() < TOLERANCE:
            break
    return a


def _objective(a: np.ndarray, scores: np.ndarray, targets: np.ndarray, inverse_strength: float) -> np.ndarray:
    loss = np.logaddexp(0, np.where(targets > 0, -scores, scores)).sum(axis=-1)
    return (a * scores).sum(axis=-1) / 2 + inverse_strength * loss


def _flat(images: np.ndarray) -> np.ndarray:
    """Reshape [E, ways, n, D] to [E, ways · n, D]."""
    return images.reshape(len(images), -1, images.shape[-1])


def _check_classes(
    protocol: str, spec: FewShotProtocol, features: Path, target: str, labels: np.ndarray, classes: list[str]
) -> None:
    counts = np.bincount(labels, minlength=len(classes))
    if spec.small_classes == "repeated":
        spec._check_large_enough(f"of target {target!r} of {features}", protocol, counts)
        return
    rarest = int(counts.argmin())
    if counts[rarest] < spec.shots + spec.queries:
        raise MastError(
            f"protocols.{protocol}: {spec.shots} shots and {spec.queries} queries, but {features} has "
            f"{counts[rarest]} images of class {classes[rarest]!r} of target {target!r}; choose fewer"
        )
