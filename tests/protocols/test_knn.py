"""Weighted kNN equals a direct sum over all pairs, and handles edge cases."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier
from support.origins import ORIGIN

from mast.errors import MastError
from mast.evaluation.features_file import Features, write_features
from mast.evaluation.run import evaluate_features
from mast.protocols.knn import KnnProtocol, class_votes, nearest_neighbours


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 30), temperature=st.sampled_from([0.01, 0.07, 1.0]))
def test_votes_are_those_of_a_direct_sum(seed: int, k: int, temperature: float) -> None:
    generator = np.random.default_rng(seed)
    train, queries = generator.normal(size=(30, 5)), generator.normal(size=(7, 5))
    labels = generator.integers(0, 3, 30)
    similarity, neighbours = nearest_neighbours(train, queries, k)
    votes = class_votes(similarity, labels[neighbours], 3, temperature)
    for query, row in zip(queries, votes, strict=True):
        cosine = train @ query / np.linalg.norm(train, axis=1) / np.linalg.norm(query)
        nearest = np.argsort(-cosine)[:k]
        expected = np.zeros(3)
        for index in nearest:
            expected[labels[index]] += np.exp((cosine[index] - cosine.max()) / temperature)
        np.testing.assert_allclose(row, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (20, 0.07), (50, 0.5)])
def test_scikit_learn_with_the_same_weights_finds_the_same_classes(k: int, temperature: float) -> None:
    generator = np.random.default_rng(k)
    labels = generator.integers(0, 6, 300)
    train, queries = np.eye(6)[labels] + generator.normal(size=(300, 6)), generator.normal(size=(200, 6))
    oracle = KNeighborsClassifier(k, weights=lambda distance: np.exp((1 - distance) / temperature), metric="cosine")
    expected = oracle.fit(train, labels).predict(queries)
    similarity, neighbours = nearest_neighbours(train, queries, k)
    found = class_votes(similarity, labels[neighbours], 6, temperature).argmax(axis=1)
    assert (found == expected).mean() > 0.995  # float32 similarities may tie otherwise


def test_random_labels_are_chance(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    values, labels = generator.normal(size=(2, 500, 8)).astype(np.float32), generator.integers(0, 4, (2, 500, 1))
    features = Features(*values, *labels, np.arange(0, 500, 5), {"shape": list("abcd")}, ORIGIN)
    write_features(tmp_path / "f.npz", features)
    evaluate_features("knn", KnnProtocol(kind="knn"), tmp_path / "f.npz", tmp_path / "m.json")
    result = json.loads((tmp_path / "m.json").read_text())
    assert abs(result["metrics"]["shape"]["top1"] - 25) < 4 * 100 * np.sqrt(0.25 * 0.75 / 500)
    largest = 100 * np.bincount(labels[1, :, 0]).max() / 500
    assert result["chance"]["shape"] == {"top1": pytest.approx(largest), "mean_per_class": 25}


def test_chunks_do_not_change_the_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    train, queries = generator.normal(size=(50, 8)), generator.normal(size=(23, 8))
    whole = nearest_neighbours(train, queries, 4)
    monkeypatch.setattr("mast.protocols.knn.QUERIES_PER_CHUNK", 5)
    chunked = nearest_neighbours(train, queries, 4)
    np.testing.assert_allclose(np.sort(whole[0]), np.sort(chunked[0]), atol=1e-6)
    np.testing.assert_array_equal(np.sort(whole[1]), np.sort(chunked[1]))


def test_features_that_are_all_zero_vote_without_warning() -> None:
    with np.errstate(all="raise"):
        similarity, _ = nearest_neighbours(np.zeros((3, 4)), np.ones((2, 4)), 3)
    np.testing.assert_array_equal(similarity, 0)


def write(path: Path, count: int) -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, (count, 1))
    values = (np.eye(6)[labels[:, 0]] + 0.05 * generator.normal(size=(count, 6))).astype(np.float32)
    validation = np.arange(0, count, 4)
    write_features(path, Features(values, values, labels, labels, validation, {"shape": ["a", "b", "c"]}, ORIGIN))


@pytest.mark.parametrize(("split", "counts"), [("test", (80, 80)), ("val", (60, 20))])
def test_metrics_file_of_separated_clusters(tmp_path: Path, split: str, counts: tuple[int, int]) -> None:
    write(tmp_path / "f.npz", 80)
    evaluate_features("knn", KnnProtocol(kind="knn", k=5, split=split), tmp_path / "f.npz", tmp_path / "m.json")
    result = json.loads((tmp_path / "m.json").read_text())
    assert result["metrics"] == {"shape": {"top1": 100.0, "mean_per_class": 100.0}}
    assert result["counts"] == {"train": counts[0], "test": counts[1]}
    assert result["settings"] == {"split": split, "k": 5, "temperature": 0.07}


def test_a_class_without_a_vote_is_not_among_the_first_five(tmp_path: Path) -> None:
    classes = np.arange(8)
    train_labels = np.repeat(classes, 3)[:, None]
    train, noise = np.eye(8)[train_labels[:, 0]], 0.01 * np.random.default_rng(0).normal(size=(24, 8))
    labels = ((classes + 1) % 8)[:, None]
    labels[0] = 0
    features = Features(
        (train + noise).astype(np.float32),
        np.eye(8, dtype=np.float32),
        train_labels,
        labels,
        np.arange(0, 24, 3),
        {"shape": [str(label) for label in classes]},
        ORIGIN,
    )
    write_features(tmp_path / "f.npz", features)
    evaluate_features("knn", KnnProtocol(kind="knn", k=3), tmp_path / "f.npz", tmp_path / "m.json")
    metrics = json.loads((tmp_path / "m.json").read_text())["metrics"]["shape"]
    assert (metrics["top1"], metrics["top5"]) == (12.5, 12.5)  # all three votes go to one class


def test_more_neighbours_than_images_is_named(tmp_path: Path) -> None:
    write(tmp_path / "f.npz", 16)
    with pytest.raises(MastError, match=r"protocols\.near\.k: 20 neighbours but .* has 16 training images"):
        evaluate_features("near", KnnProtocol(kind="knn"), tmp_path / "f.npz", tmp_path / "m.json")
    assert not (tmp_path / "m.json").exists()
