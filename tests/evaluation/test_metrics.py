"""Accuracies equal scikit-learn's, and chance equals that of its dummy classifiers."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, recall_score, top_k_accuracy_score

from mast.evaluation.metrics import chance_levels, classification_metrics


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


def test_chance_is_what_a_classifier_reaches_that_does_not_look() -> None:
    labels = np.random.default_rng(0).choice(8, size=(300, 1), p=[0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.05, 0.05])
    blind = DummyClassifier(strategy="prior").fit(labels, labels[:, 0])
    scores = blind.predict_proba(labels) + np.linspace(1e-9, 0, 8)  # of equals the first
    expected = classification_metrics(scores, labels[:, 0])
    found = chance_levels(["hue"], labels)["hue"]
    assert found.keys() == expected.keys()
    assert all(np.isclose(found[metric], expected[metric]) for metric in expected)


def test_chance_of_equally_frequent_classes_is_one_over_their_number() -> None:
    labels = np.stack([np.arange(40) % 8, np.arange(40) % 2], axis=1)
    assert chance_levels(["hue", "light"], labels) == {
        "hue": {"top1": 12.5, "top5": 62.5, "mean_per_class": 12.5},
        "light": {"top1": 50, "top5": 100, "mean_per_class": 50},
    }
