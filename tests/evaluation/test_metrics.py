"""Accuracies against scikit-learn's."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, recall_score, top_k_accuracy_score

from mast.evaluation.metrics import classification_metrics


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(6, 12), count=st.integers(20, 60))
def test_accuracies_are_scikit_learns(seed: int, classes: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    scores, labels = generator.normal(size=(count, classes)), generator.integers(0, classes, count)
    metrics = classification_metrics(scores, labels)
    assert np.isclose(metrics["top1"], 100 * accuracy_score(labels, scores.argmax(axis=1)))
    assert np.isclose(metrics["top5"], 100 * top_k_accuracy_score(labels, scores, k=5, labels=range(classes)))
    recalls = recall_score(labels, scores.argmax(axis=1), labels=np.unique(labels), average="macro", zero_division=0)
    assert np.isclose(metrics["mean_per_class"], 100 * recalls)


def test_mean_per_class_weighs_a_rare_class_like_a_frequent_one() -> None:
    labels = np.array([0] * 9 + [1])
    assert classification_metrics(np.tile([1.0, 0.0], (10, 1)), labels) == {"top1": 90.0, "mean_per_class": 50.0}
