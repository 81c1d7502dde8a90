"""Linear SVMs per class equal scikit-learn's, and are right on data with known answers."""

import json
import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC
from support.origins import ORIGIN

from mast.data.known_labels import KnownLabels
from mast.errors import MastError
from mast.evaluation.features_file import PRESENCE, Features, write_features
from mast.evaluation.run import evaluate_features
from mast.protocols import PlannedTask
from mast.protocols.knn import KnnProtocol
from mast.protocols.svm_voc import SvmProtocol, average_precision, svm

SPEC = SvmProtocol(kind="svm-voc", costs=(0.01, 10.0), max_iterations=200)


def multilabel(count: int, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images that show any of three classes, each class one direction; labels int64 [N, 3]."""
    generator = np.random.default_rng(seed)
    labels = (generator.random((count, 3)) < 0.3).astype(np.int64)
    noise = spread * generator.normal(size=(count, 8))
    return (labels @ np.eye(3, 8) * 2 + np.eye(8)[7] + noise).astype(np.float32), labels


def write(path: Path, train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> Path:
    classes = {name: list(PRESENCE) for name in ("cat", "dog", "cow")}
    validation = np.arange(0, len(train[0]), 4)
    write_features(path, Features(train[0], test[0], train[1], test[1], validation, classes, ORIGIN))
    return path


def evaluated(features: Path) -> dict[str, dict[str, float]]:
    evaluate_features("svm", SPEC, features, features.with_suffix(".json"))
    return json.loads(features.with_suffix(".json").read_text())["metrics"]


def envelope_area(shown: np.ndarray, scores: np.ndarray) -> float:
    """The mean over the images that show the class of the best precision at their recall or a higher one."""
    ranked = shown[np.argsort(-scores)]
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float(np.mean([precision[rank:].max() for rank in np.flatnonzero(ranked)]))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40))
def test_average_precision_is_the_area_under_the_envelope(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    shown, scores = generator.random(count) < 0.4, generator.normal(size=count)
    shown[0] = True
    area = average_precision(shown, scores)
    assert area == pytest.approx(envelope_area(shown, scores))
    assert area >= average_precision_score(shown, scores) - 1e-12


def test_precision_of_each_class_is_that_of_scikit_learn_in_the_same_protocol(tmp_path: Path) -> None:
    train, test = multilabel(200, 1.2), multilabel(120, 1.2, seed=1)
    metrics = evaluated(write(tmp_path / "f.npz", train, test))
    values, tested = (x / (np.linalg.norm(x, axis=1)[:, None] + 1e-5) for x in (train[0], test[0]))
    for column, name in enumerate(("cat", "dog", "cow")):
        signs = 2 * train[1][:, column] - 1

        def model(cost: float) -> LinearSVC:
            return LinearSVC(C=cost, class_weight={1: 2, -1: 1}, dual=True, max_iter=100_000, tol=1e-8)

        means = []
        for cost in SPEC.costs:
            folds = StratifiedKFold(3).split(values, signs)
            fitted = [(model(cost).fit(values[a], signs[a]), b) for a, b in folds]
            means.append(
                np.mean([average_precision_score(signs[b] > 0, m.decision_function(values[b])) for m, b in fitted])
            )
        scores = model(SPEC.costs[int(np.argmax(means))]).fit(values, signs).decision_function(tested)
        assert metrics[name]["AP"] == pytest.approx(100 * envelope_area(test[1][:, column] > 0, scores), abs=0.5)
        assert 40 < metrics[name]["AP"] < 99
    assert metrics["classes"]["mAP"] == pytest.approx(np.mean([metrics[name]["AP"] for name in ("cat", "dog", "cow")]))


def test_settings_of_the_svm_are_vissls() -> None:
    """facebookresearch/vissl, svm_trainer.py with vissl/config/defaults.yaml and the configuration of VOC07."""
    spec = SvmProtocol(kind="svm-voc")
    assert spec.costs == (0.01, 0.1, 1, 2, 5, 10, 15, 20, 50, 100, 1000) and spec.folds == 3
    given = svm(10.0, spec).get_params()
    stated = {"penalty": "l2", "loss": "squared_hinge", "dual": True, "tol": 0.0001, "max_iter": 2000}
    stated |= {"C": 10.0, "intercept_scaling": 1.0, "class_weight": {True: 2.0, False: 1}}
    assert {key: given[key] for key in stated} == stated


def test_the_dual_is_solved_where_images_outnumber_dimensions() -> None:
    """With C = 1000 coordinate descent is cut off, so primal and dual differ: the score is that of the dual."""
    values, labels = multilabel(300, 2.0)
    tested, shown = multilabel(300, 2.0, seed=1)
    unit = [x / (np.linalg.norm(x, axis=1)[:, None] + 1e-5) for x in (values.astype(float), tested.astype(float))]
    spec = SvmProtocol(kind="svm-voc", max_iterations=20)
    own = svm(1000, spec)
    scores = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for dual in (True, False):
            model = LinearSVC(C=1000, class_weight={1: 2, -1: 1}, dual=dual, max_iter=20, tol=1e-4, random_state=0)
            scores[dual] = model.fit(unit[0], 2 * labels[:, 0] - 1).decision_function(unit[1])
        np.testing.assert_array_equal(own.fit(unit[0], labels[:, 0] > 0).decision_function(unit[1]), scores[True])
    areas = {dual: average_precision(shown[:, 0] > 0, found) for dual, found in scores.items()}
    assert abs(areas[True] - areas[False]) > 0.01, areas


def test_separable_classes_score_100_and_shuffled_labels_their_frequency(tmp_path: Path) -> None:
    train, test = multilabel(200, 0.01), multilabel(300, 0.01, seed=1)
    assert evaluated(write(tmp_path / "right.npz", train, test))["classes"]["mAP"] > 99.999
    shuffled = np.random.default_rng(0).permutation(test[1])
    chance = evaluated(write(tmp_path / "wrong.npz", train, (test[0], shuffled)))["classes"]["mAP"]
    assert abs(chance - 100 * shuffled.mean()) < 8
    stated = json.loads((tmp_path / "wrong.json").read_text())["chance"]
    assert stated["classes"]["mAP"] == pytest.approx(100 * shuffled.mean())
    assert stated["cat"]["AP"] == pytest.approx(100 * shuffled[:, 0].mean())


def test_ignored_images_are_left_out_of_the_score(tmp_path: Path) -> None:
    train, (values, labels) = multilabel(200, 0.8), multilabel(120, 0.8, seed=1)
    ignored = np.arange(120) % 5 == 0
    doubtful = labels.copy()
    doubtful[ignored, 0] = -1
    kept = labels[~ignored]
    with_ignored = evaluated(write(tmp_path / "a.npz", train, (values, doubtful)))
    without = evaluated(write(tmp_path / "b.npz", train, (values[~ignored], kept)))
    assert with_ignored["cat"] == without["cat"]


def test_training_images_to_ignore_count_as_negatives(tmp_path: Path) -> None:
    train, test = multilabel(120, 0.8), multilabel(60, 0.8, seed=1)
    for name, label in (("a", 0), ("b", -1)):
        train[1][:30, 1] = label
        write(tmp_path / f"{name}.npz", train, test)
    assert evaluated(tmp_path / "a.npz") == evaluated(tmp_path / "b.npz")


def test_each_value_of_a_single_label_target_is_a_class(tmp_path: Path) -> None:
    labels = np.arange(90) % 3
    values = (np.eye(5)[labels] + 0.01 * np.random.default_rng(0).normal(size=(90, 5))).astype(np.float32)
    file, validation = tmp_path / "f.npz", np.arange(0, 90, 4)
    classes = {"shape": ["a", "b", "c"]}
    write_features(file, Features(values, values, labels[:, None], labels[:, None], validation, classes, ORIGIN))
    assert evaluated(file) == {"shape": {"mAP": pytest.approx(100)}}
    assert json.loads(file.with_suffix(".json").read_text())["details"]["costs"].keys() == {
        "shape a",
        "shape b",
        "shape c",
    }


def test_a_class_that_all_scored_images_show_has_full_precision(tmp_path: Path) -> None:
    """As in facebookresearch/vissl, evaluate.py, if there is nothing else to find; planning allows it."""
    train, (values, labels) = multilabel(60, 1.2), multilabel(30, 1.2, seed=1)
    labels[:, 0] = 1
    metrics = evaluated(write(tmp_path / "f.npz", train, (values, labels)))
    assert metrics["cat"]["AP"] == pytest.approx(100)
    for column, refused in ((1, False), (0, True)):
        scored = np.full((30, 1), column)
        known = KnownLabels({"cat": 2}, train[1][:, :1], scored, np.arange(0))
        task = PlannedTask("animals", 60, lambda known=known: known, keeps_names=False)
        with pytest.raises(MastError, match="is of class 1 of target 'cat'") if refused else nullcontext():
            SPEC.check("svm", task)


def test_bad_input_is_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    train, test = multilabel(200, 0.1), multilabel(40, 0.1)
    rare = train[1].copy()
    rare[:, 1] = np.arange(200) < 2
    unseen = test[1].copy()
    unseen[:, 2] = 0
    wild = train[1].copy()
    wild[0, 0] = -2
    for labels, tested, message in (
        (rare, test[1], r"protocols\.svm\.folds: 3 folds, but .* has 2 training images .* 'present' of target 'dog'"),
        (train[1], unseen, r"no image to score shows class 'present' of target 'cow'"),
        (wild, test[1], r"train label -2 of target 'cat' is outside 0…1"),
    ):
        file = write(tmp_path / "f.npz", (train[0], labels), (test[0], tested))
        with pytest.raises(MastError, match=message) as error:
            evaluated(file)
        assert "\n" not in str(error.value)
        assert not file.with_suffix(".json").exists()


def test_ignored_labels_are_refused_where_every_image_needs_a_class(tmp_path: Path) -> None:
    train, test = multilabel(60, 0.1), multilabel(40, 0.1)
    test[1][0, 0] = -1
    with pytest.raises(MastError, match=r"test label -1 of target 'cat' is outside 0…1"):
        evaluate_features("knn", KnnProtocol(kind="knn"), write(tmp_path / "f.npz", train, test), tmp_path / "m.json")
