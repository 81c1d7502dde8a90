"""Few-shot episodes equal scikit-learn's liblinear, and are right on data with known answers."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from support.origins import ORIGIN

from mast.errors import MastError
from mast.evaluation.features_file import Features, write_features
from mast.evaluation.run import evaluate_features
from mast.protocols.few_shot import FewShotProtocol, draw_episodes, episode_accuracies, fit_dual


def clusters(count: int, classes: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = np.arange(count) % classes
    return (3 * np.eye(9)[labels] + spread * generator.normal(size=(count, 9))).astype(np.float32), labels


def write(path: Path, values: np.ndarray, *columns: np.ndarray) -> None:
    labels = np.stack(columns, axis=1)
    classes = {f"t{t}": [f"c{i}" for i in range(column.max() + 1)] for t, column in enumerate(columns)}
    write_features(path, Features(values, values, labels, labels, np.arange(0, len(values), 4), classes, ORIGIN))


@pytest.mark.parametrize(("shots", "spread", "strength"), [(1, 1.0, 1.0), (5, 1.5, 1.0), (5, 4.0, 100.0)])
def test_accuracy_of_every_episode_is_that_of_scikit_learn(shots: int, spread: float, strength: float) -> None:
    spec = FewShotProtocol(kind="few-shot", shots=shots, episodes=6, inverse_strength=strength)
    values, labels = clusters(8 * 30, 8, spread)
    expected = []
    for episode in draw_episodes(labels, spec):
        support, queries = episode[:, :shots].ravel(), episode[:, shots:].ravel()
        scores = [
            LogisticRegression(solver="liblinear", C=strength, tol=1e-10, max_iter=10_000)
            .fit(values[support], labels[support] == way)
            .decision_function(values[queries])
            for way in labels[episode[:, 0]]
        ]
        expected.append((labels[episode[:, 0]][np.argmax(scores, axis=0)] == labels[queries]).mean())
    np.testing.assert_allclose(episode_accuracies(values, labels, spec), expected)
    assert 0.2 < np.mean(expected) < 1


def test_optimum_is_found_where_full_steps_would_overshoot() -> None:
    """At the optimum a = C (targets − σ(Ka)), since the objective's gradient with respect to a is K times this."""
    generator = np.random.default_rng(0)
    values = 50 * generator.normal(size=(20, 12, 30))
    targets = (np.arange(12) < 4).astype(float)
    kernel = values @ values.transpose(0, 2, 1)
    a = fit_dual(kernel, np.broadcast_to(targets, (20, 12)), 10.0)
    scores = (kernel @ a[..., None])[..., 0]
    np.testing.assert_allclose(a, 10 * (targets - 1 / (1 + np.exp(-scores))), atol=1e-6)


def test_episodes_are_drawn_alike_for_every_encoder_and_hold_no_image_twice() -> None:
    spec = FewShotProtocol(kind="few-shot", shots=2, queries=3, episodes=50)
    labels = np.arange(70) % 7
    episodes = draw_episodes(labels, spec)
    assert episodes.shape == (50, 5, 5)
    np.testing.assert_array_equal(episodes, draw_episodes(labels, spec))
    assert all(len(np.unique(episode)) == 25 for episode in episodes)
    assert (labels[episodes] == labels[episodes[..., :1]]).all()
    assert len({tuple(sorted(episode)) for episode in labels[episodes[..., 0]].tolist()}) > 10


def test_separable_classes_are_learned_and_shuffled_labels_are_chance(tmp_path: Path) -> None:
    values, labels = clusters(400, 8, 0.01)
    shuffled = np.random.default_rng(1).permutation(labels)
    write(tmp_path / "f.npz", values, labels, shuffled, labels % 3)
    spec = FewShotProtocol(kind="few-shot", shots=2, queries=10, episodes=200)
    evaluate_features("few", spec, tmp_path / "f.npz", tmp_path / "m.json")
    result = json.loads((tmp_path / "m.json").read_text())
    assert result["metrics"]["t0"] == {"top1": 100.0, "top1_ci95": 0.0}
    chance = result["metrics"]["t1"]
    assert abs(chance["top1"] - 20) < 3 * chance["top1_ci95"]
    assert 0 < chance["top1_ci95"] < 2
    assert result["details"] == {"ways": {"t0": 5, "t1": 5, "t2": 3}}
    assert result["chance"] == {"t0": {"top1": 20.0}, "t1": {"top1": 20.0}, "t2": {"top1": pytest.approx(100 / 3)}}
    assert result["counts"]["episodes"] == 200


def test_a_class_with_too_few_images_is_named(tmp_path: Path) -> None:
    values, labels = clusters(80, 8, 0.01)
    write(tmp_path / "f.npz", values, labels)
    with pytest.raises(MastError, match=r"protocols\.few: 5 shots and 16 queries, but .* has 10 images of class 'c0'"):
        evaluate_features("few", FewShotProtocol(kind="few-shot"), tmp_path / "f.npz", tmp_path / "m.json")
    assert not (tmp_path / "m.json").exists()


def test_small_classes_are_left_out_or_repeated_as_in_augself(tmp_path: Path) -> None:
    """transfer_few_shot.py, FewShotBatchSampler: K images or fewer are no class; queries are drawn with replacement."""
    sizes = (30, 30, 9, 2)
    labels = np.repeat(np.arange(4), sizes)
    spec = FewShotProtocol(kind="few-shot", shots=2, queries=10, episodes=40, small_classes="repeated")
    episodes = draw_episodes(labels, spec)
    assert episodes.shape == (40, 3, 12), "the class of two images is left out"
    for episode in episodes.reshape(-1, 12):
        [label] = set(labels[episode])
        shots, queries = set(episode[:2]), set(episode[2:])
        assert len(shots) == 2 and not shots & queries
        assert len(queries) == 10 or (label == 2 and len(queries) <= 7)
    plain = FewShotProtocol(kind="few-shot", shots=2, queries=10, episodes=40)
    large = labels[labels < 2]
    np.testing.assert_array_equal(draw_episodes(large, plain), draw_episodes(large, spec))
    values = np.eye(4, dtype=np.float32)[labels]
    write(tmp_path / "f.npz", values, labels)
    evaluate_features("few", spec, tmp_path / "f.npz", tmp_path / "m.json")
    result = json.loads((tmp_path / "m.json").read_text())
    assert result["details"] == {"ways": {"t0": 3}} and result["chance"] == {"t0": {"top1": pytest.approx(100 / 3)}}
    few = spec.model_copy(update={"shots": 30})
    with pytest.raises(MastError, match=r"protocols\.few\.shots: 0 class\(es\) of target 't0' .* two are needed"):
        evaluate_features("few", few, tmp_path / "f.npz", tmp_path / "no.json")
