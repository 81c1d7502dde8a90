"""Weighted nearest neighbours by cosine similarity."""

from typing import Any, ClassVar, Literal

import numpy as np

from mast.errors import MastError
from mast.evaluation.features_file import select
from mast.evaluation.inputs import FeatureInputs, Measured
from mast.evaluation.metrics import chance_levels, classification_metrics
from mast.protocols import CLASSIFICATION, PlannedTask, SplitProtocol
from mast.settings import Count, Positive

QUERIES_PER_CHUNK = 512


class KnnProtocol(SplitProtocol):
    """Weighted nearest neighbours by cosine similarity (Wu et al. 2018)."""

    READS = "features"
    CHOICES = CLASSIFICATION
    CAPTION = "Nearest neighbours on frozen features: votes weighted by cosine similarity, nothing trained."
    TINY: ClassVar[dict[str, Any]] = {"k": 2}

    kind: Literal["knn"]
    k: Count = 20
    """Number of nearest training images that vote."""
    temperature: Positive = 0.07
    """τ of a vote's weight, exp(cosine similarity / τ) (Wu et al. 2018)."""

    def check(self, name: str, task: PlannedTask) -> None:
        """Check that there are `k` neighbours."""
        self.check_count(name, task, "k")

    def evaluate(self, inputs: FeatureInputs) -> Measured:
        """Score frozen features with weighted kNN.

        The metrics are top-1 and mean per class, and top-5 if a target has more than 5 classes. A class without any of
        the neighbours is never among the first five.

        Raises:
            MastError: there are fewer training images than `k`.
        """
        data, metrics = inputs.features, {}
        split = select(data, self.split)
        if self.k > len(split.train_features):
            raise MastError(
                f"protocols.{inputs.protocol}.k: {self.k} neighbours but {inputs.file} has "
                f"{len(split.train_features)} training images; choose a smaller k"
            )
        similarity, neighbours = nearest_neighbours(split.train_features, split.score_features, self.k)
        for column, (target, classes) in enumerate(data.classes.items()):
            votes = class_votes(similarity, split.train_labels[neighbours, column], len(classes), self.temperature)
            scores = np.where(votes > 0, votes, -np.inf)
            metrics[target] = classification_metrics(scores, split.score_labels[:, column])
        counts = {"train": len(split.train_features), "test": len(split.score_features)}
        return Measured(metrics, counts, chance=chance_levels(data.classes, split.score_labels))


def nearest_neighbours(train: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k training images most similar to each query.

    Args:
        train: float [N, D].
        queries: float [M, D].
        k: number of neighbours, at most N.

    Returns:
        cosine similarities in [−1, 1], float32 [M, k], and positions in `train`, int64 [M, k], in no order. An image
        whose features are all zero has similarity 0 to every other.
    """
    train, queries = _unit_rows(train), _unit_rows(queries)
    similarities, positions = [], []
    for start in range(0, len(queries), QUERIES_PER_CHUNK):
        similarity = queries[start : start + QUERIES_PER_CHUNK] @ train.T
        nearest = np.argpartition(similarity, len(train) - k, axis=1)[:, len(train) - k :]
        similarities.append(np.take_along_axis(similarity, nearest, axis=1))
        positions.append(nearest)
    return np.concatenate(similarities), np.concatenate(positions)


def class_votes(similarity: np.ndarray, labels: np.ndarray, classes: int, temperature: float) -> np.ndarray:
    """Return the sum of exp(similarity / temperature) over the neighbours of each class (Wu et al. 2018, section 3.4).

    Args:
        similarity: float [M, k].
        labels: int [M, k], the neighbours' classes.
        classes: number C of classes.
        temperature: above 0.

    Returns:
        float64 [M, C], each row scaled so that its strongest neighbour has weight 1.
    """
    weights = np.exp((similarity - similarity.max(axis=1, keepdims=True)).astype(np.float64) / temperature)
    votes = np.zeros((len(similarity), classes))
    np.add.at(votes, (np.arange(len(similarity))[:, None], labels), weights)
    return votes


def _unit_rows(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float32)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), np.finfo(np.float32).tiny)
