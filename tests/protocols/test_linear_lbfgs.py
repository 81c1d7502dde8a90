"""The linear probe equals scikit-learn's, and is right on data with known answers."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from support.origins import ORIGIN

from mast.errors import MastError
from mast.evaluation.features_file import Features, Split, read_features, select, write_features
from mast.evaluation.run import evaluate_features
from mast.protocols.linear_lbfgs import (
    LinearProbe,
    LinearProtocol,
    PrincipalFeatures,
    first_best,
    fit_path,
    with_ones,
)
from mast.settings import parse

ORIGIN_OF_DIGITS = ORIGIN.model_copy(update={"run": "vicreg", "seed": 3, "task": "digits"})
SPEC = LinearProtocol(kind="linear-lbfgs", strengths=5, strength_range=(1e-3, 1e3), tolerance=1e-13)


def clusters(count: int, classes: int, spread: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian clusters around the first unit vectors of 12 dimensions."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, count)
    values = np.eye(12)[labels] + spread * generator.normal(size=(count, 12)) * np.geomspace(0.1, 3, 12)
    return values.astype(np.float32), labels


def features_of(train: np.ndarray, test: np.ndarray, train_labels: np.ndarray, test_labels: np.ndarray) -> Features:
    classes = {f"t{column}": [f"c{i}" for i in range(4)] for column in range(train_labels.shape[1])}
    return Features(train, test, train_labels, test_labels, np.arange(0, len(train), 4), classes, ORIGIN_OF_DIGITS)


@pytest.fixture
def separable(tmp_path: Path) -> Path:
    """Two targets: the clusters, which are separable, and random labels."""
    train, labels = clusters(400, 4, 0.05, seed=0)
    test, test_labels = clusters(200, 4, 0.05, seed=1)
    random = np.random.default_rng(2).integers(0, 4, 600)
    file = tmp_path / "features.npz"
    columns = np.column_stack([labels, random[:400]]), np.column_stack([test_labels, random[400:]])
    write_features(file, features_of(train, test, *columns))
    return file


@pytest.mark.parametrize("strength", [1e-2, 1.0, 100.0])
def test_optimum_is_scikit_learns(strength: float) -> None:
    values, labels = clusters(300, 4, 0.6, seed=0)
    (theta,) = fit_path(PrincipalFeatures.of(values), labels, 4, [strength], SPEC)
    oracle = LogisticRegression(C=1 / (2 * strength), fit_intercept=False, tol=1e-10, max_iter=10_000)
    oracle.fit(with_ones(values), labels)
    assert np.abs(theta - oracle.coef_).max() < 1e-4 * max(1.0, np.abs(oracle.coef_).max())


def test_warm_start_and_strength_order_do_not_change_the_optimum() -> None:
    values, labels = clusters(300, 4, 0.6, seed=0)
    features = PrincipalFeatures.of(values)
    *_, warm = fit_path(features, labels, 4, [1e-2, 0.1, 1.0], SPEC)
    (cold,) = fit_path(features, labels, 4, [1.0], SPEC)
    np.testing.assert_allclose(warm, cold, atol=1e-5)


def test_separable_classes_are_learned_and_random_labels_are_not(separable: Path, tmp_path: Path) -> None:
    evaluate_features("linear", SPEC, separable, tmp_path / "metrics.json")
    result = json.loads((tmp_path / "metrics.json").read_text())
    assert result["metrics"]["t0"] == {"top1": 100.0, "mean_per_class": 100.0}
    assert abs(result["metrics"]["t1"]["top1"] - 25) < 4 * 100 * np.sqrt(0.25 * 0.75 / 200)
    assert result["counts"] == {"train": 400, "test": 200}
    assert (result["task"], result["run"], result["seed"], result["kind"]) == ("digits", "vicreg", 3, "linear-lbfgs")


def unbalanced(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clusters that overlap, of which the last two are rare."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(4, count, p=[0.5, 0.3, 0.1, 0.1])
    return (1.5 * np.eye(12)[labels] + generator.normal(size=(count, 12))).astype(np.float32), labels


def metric_of(metric: str, predicted: np.ndarray, labels: np.ndarray) -> float:
    correct = predicted == labels
    if metric == "top1":
        return 100 * correct.mean()
    return 100 * np.mean([correct[labels == label].mean() for label in np.unique(labels)])


@pytest.mark.parametrize("metric", ["top1", "mean_per_class"])
@pytest.mark.parametrize("seed", range(4))
def test_choice_of_strength_is_augselfs(metric: str, seed: int) -> None:
    """Scikit-learn in AugSelf's loop: the first strength with the best value of the reported metric, then one refit."""
    (values, labels), (test, test_labels) = unbalanced(300, seed), unbalanced(300, seed + 100)
    validation = np.arange(300) % 4 == 0
    split = Split(values, labels[:, None], validation, test, test_labels[:, None])
    found, chosen = LinearProbe(split, SPEC).metrics(0, 4)

    def fitted(strength: float, rows: np.ndarray) -> LogisticRegression:
        model = LogisticRegression(C=1 / (2 * strength), fit_intercept=False, tol=1e-9, max_iter=10_000)
        return model.fit(with_ones(values[rows]), labels[rows])

    best, best_strength = 0.0, 0.0
    for strength in np.geomspace(*SPEC.strength_range, SPEC.strengths):
        predicted = fitted(strength, ~validation).predict(with_ones(values[validation]))
        value = metric_of(metric, predicted, labels[validation])
        if best < value:
            best, best_strength = value, strength
    assert chosen[metric] == pytest.approx(best_strength)
    predicted = fitted(best_strength, np.ones(300, bool)).predict(with_ones(test))
    assert found[metric] == pytest.approx(metric_of(metric, predicted, test_labels), abs=1e-6)


def test_the_two_metrics_choose_for_themselves() -> None:
    differ = 0
    for seed in range(4):
        (values, labels), (test, test_labels) = unbalanced(300, seed), unbalanced(300, seed + 100)
        split = Split(values, labels[:, None], np.arange(300) % 4 == 0, test, test_labels[:, None])
        _, chosen = LinearProbe(split, SPEC).metrics(0, 4)
        differ += chosen["top1"] != chosen["mean_per_class"]
    assert differ


def test_of_equal_strengths_the_weakest_is_chosen(separable: Path, tmp_path: Path) -> None:
    """All strengths but the largest separate the clusters."""
    evaluate_features("linear", SPEC, separable, tmp_path / "metrics.json")
    strengths = json.loads((tmp_path / "metrics.json").read_text())["details"]["strengths"]
    assert strengths["t0"] == pytest.approx({"top1": 1e-3, "mean_per_class": 1e-3})


def test_accuracies_that_differ_by_rounding_are_equal() -> None:
    assert first_best([10.0, 100 / 3, 100 / 3 + 1e-13, 5.0]) == 1
    assert first_best([10.0, 33.3, 33.4]) == 2


def test_the_images_to_score_choose_nothing() -> None:
    values, labels = clusters(400, 4, 0.8, seed=0)
    test, test_labels = clusters(200, 4, 0.8, seed=1)
    chosen = [
        LinearProbe(Split(values, labels[:, None], np.arange(400) % 4 == 0, test, scored[:, None]), SPEC).metrics(0, 4)
        for scored in (test_labels, np.roll(test_labels, 1))
    ]
    assert chosen[0][1] == chosen[1][1] and chosen[0][0] != chosen[1][0]


def test_validation_split_never_touches_the_images_it_scores() -> None:
    train, labels = clusters(400, 4, 0.5, seed=0)
    features = features_of(train, train[:8], labels[:, None], labels[:8, None])
    split = select(features, "val")
    held_out = train[features.val_indices]
    np.testing.assert_array_equal(split.score_features, held_out)
    assert not (split.train_features[:, None] == held_out[None]).all(axis=2).any()
    assert len(split.train_features) == 300
    assert split.validation.sum() == 75


def test_reversed_range_of_strengths_is_refused() -> None:
    with pytest.raises(MastError, match="strength_range: the first strength is larger than the second"):
        parse(LinearProtocol, {"kind": "linear-lbfgs", "strength_range": (1.0, 0.1)}, "config.yaml")


def test_probe_needs_no_torch() -> None:
    code = "import sys, mast.protocols.linear_lbfgs, mast.protocols.knn; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def broken(features: Features, **changes: np.ndarray) -> Features:
    return Features(**{**vars(features), **changes})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: {"train_labels": np.full_like(f.train_labels, 4)}, "label 4 of target 't0' is outside 0…3"),
        (lambda f: {"test_labels": np.full_like(f.test_labels, -1)}, "test label -1 of target 't0' is outside 0…3"),
        (lambda f: {"train_labels": np.zeros_like(f.train_labels)}, "target 't0' hold one class"),
        (lambda f: {"train_features": np.full_like(f.train_features, np.nan)}, "400 of 400 train images have non-fin"),
        (lambda f: {"train_features": f.train_features[1:]}, "train features (399, 12) and labels (400, 2)"),
        (lambda f: {"val_indices": np.array([], dtype=np.int64)}, "val_indices leave no images"),
        (lambda f: {"val_indices": np.array([400])}, "val_indices lie outside the 400 training images"),
    ],
)
def test_unusable_features_are_named_in_one_line(separable: Path, tmp_path: Path, change: object, message: str) -> None:
    features = read_features(separable)
    write_features(separable, broken(features, **change(features)))
    with pytest.raises(MastError) as error:
        evaluate_features("linear", SPEC, separable, tmp_path / "metrics.json")
    assert message in str(error.value)
    assert str(separable) in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "metrics.json").exists()


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off"])
def test_damaged_features_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "features.npz"
    file.write_bytes(content)
    with pytest.raises(MastError, match=r"features\.npz: not a readable features file"):
        evaluate_features("linear", SPEC, file, tmp_path / "metrics.json")
