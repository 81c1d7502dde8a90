"""What protocols need is compared with their tasks before anything runs, with prepared data as oracle."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mast.config.experiment import DataSpec, Experiment
from mast.data.known_labels import KnownLabels
from mast.data.prepare import prepare
from mast.data.prepared.store import open_prepared
from mast.data.readers.digits import DigitsData
from mast.data.readers.folder import FolderData
from mast.data.readers.shapes import ShapesData
from mast.errors import MastError
from mast.preflight.experiment import check_experiment
from mast.protocols._semi import labelled_subset
from mast.protocols.detection import DetectionProtocol
from mast.protocols.knn import KnnProtocol
from mast.settings import parse


def photos(root: Path) -> FolderData:
    for name, images in (("train/a", 9), ("train/b", 5), ("test/a", 3), ("test/b", 2)):
        (root / name).mkdir(parents=True)
        for number in range(images):
            Image.new("RGB", (16, 16)).save(root / name / f"{number}.png")
    return FolderData(kind="folder", root=str(root), size=16)


def specs(tmp_path: Path) -> dict[str, DataSpec]:
    return {
        "shapes": ShapesData(kind="shapes", train=90, test=40, size=16, seed=3, split_seed=1),
        "digits": DigitsData(kind="digits", size=8, test_fraction=0.4, validation_fraction=0.1, split_seed=2),
        "photos": photos(tmp_path / "photos"),
    }


@pytest.mark.parametrize("name", ["shapes", "digits", "photos"])
def test_known_labels_are_those_of_the_prepared_data(tmp_path: Path, name: str) -> None:
    spec = specs(tmp_path)[name]
    prepare(name, spec, tmp_path / "data")
    task, known = open_prepared(tmp_path / "data"), spec.known_labels
    assert known.classes == {target: len(classes) for target, classes in task.targets.items()}
    held_out = np.zeros(len(task.labels("train")), bool)
    held_out[task.val_indices] = True
    expected = {
        ("fitted", "test"): task.labels("train"),
        ("scored", "test"): task.labels("test"),
        ("fitted", "val"): task.labels("train")[~held_out],
        ("scored", "val"): task.labels("train")[held_out],
    }
    for (use, split), labels in expected.items():
        np.testing.assert_array_equal(sizes(getattr(known, use)(split), known), sizes(labels, known))


def sizes(labels: np.ndarray, known: KnownLabels) -> list[list[int]]:
    return [np.bincount(column, minlength=9).tolist() for column in labels.T[: len(known.classes)]]


def experiment(tmp_path: Path, task: str, resources: dict | None = None, **protocol: object) -> Experiment:
    values = {
        "resources": resources or {},
        "name": "mine",
        "results": str(tmp_path / "results"),
        "datasets": {name: spec.model_dump() for name, spec in specs(tmp_path).items()},
        "pretrain": {"dataset": "shapes", "batch_size": 8},
        "runs": {"mine": {}},
        "protocols": {"p": protocol},
        "studies": {"s": {"title": "", "protocol": "p", "tasks": [task], "runs": ["mine"]}},
    }
    return parse(Experiment, values, "test")


@pytest.mark.parametrize(
    ("task", "protocol", "key", "most", "message"),
    [
        ("digits", {"kind": "knn"}, "k", 1078, r"protocols\.p\.k: 1079 is more than the 1078 training images of 'dig"),
        ("photos", {"kind": "knn"}, "k", 14, r"protocols\.p\.k: 15 is more than the 14 training images of 'photos'"),
        ("shapes", {"kind": "linear-sgd"}, "batch_size", 90, r"protocols\.p\.batch_size: 91 is more than the 90"),
        ("digits", {"kind": "few-shot"}, "shots", 54, r"protocols\.p: 55 shots and 16 queries are more than the 70"),
        ("photos", {"kind": "few-shot", "queries": 1}, "shots", 1, r"p: 2 shots and 1 queries .* 2 images of a class"),
        ("photos", {"kind": "svm-voc"}, "folds", 5, r"protocols\.p\.folds: 6 is more than the 5 training images with"),
        ("digits", {"kind": "semi-10"}, "batch_size", 109, r"batch_size: 110 is more than the 109 labelled images of"),
        ("photos", {"kind": "semi-1"}, "batch_size", 2, r"batch_size: 3 is more than the 2 labelled images of target"),
    ],
)
def test_what_a_task_has_is_the_most_that_a_protocol_may_ask(
    tmp_path: Path, task: str, protocol: dict, key: str, most: int, message: str
) -> None:
    check_experiment(experiment(tmp_path / "fits", task, **protocol, **{key: most}))
    with pytest.raises(MastError, match=message) as error:
        check_experiment(experiment(tmp_path / "not", task, **protocol, **{key: most + 1}))
    assert "\n" not in str(error.value)


def test_validation_scores_count_the_validation_images(tmp_path: Path) -> None:
    protocol = {"kind": "few-shot", "shots": 2, "queries": 16}
    check_experiment(experiment(tmp_path / "test", "digits", **protocol))
    with pytest.raises(MastError, match=r"2 shots and 16 queries are more than the 1\d images of a class"):
        check_experiment(experiment(tmp_path / "val", "digits", **protocol, split="val"))


@pytest.mark.parametrize(("fraction", "kind"), [(0.01, "semi-1"), (0.1, "semi-10"), (0.33, "semi-10")])
def test_labelled_images_are_counted_as_they_are_drawn(tmp_path: Path, fraction: float, kind: str) -> None:
    labels = specs(tmp_path / "data")["digits"].known_labels.fitted("test")[:, 0]
    count = len(labelled_subset(labels, fraction, 0))
    protocol = {"kind": kind, "fraction": fraction}
    check_experiment(experiment(tmp_path / "fits", "digits", **protocol, batch_size=count))
    with pytest.raises(MastError, match=f"{count + 1} is more than the {count} labelled"):
        check_experiment(experiment(tmp_path / "not", "digits", **protocol, batch_size=count + 1))


EIGHT = {"gpus": 4, "nodes": 2}


@pytest.mark.parametrize(
    ("protocol", "stage", "fits", "message"),
    [
        (
            {"kind": "linear-sgd", "batch_size": 6},
            "finetune",
            {"gpus": 3, "nodes": 2},
            r"protocols\.p\.batch_size: 6 images cannot be shared out over 8 processes; choose 8 or more",
        ),
        (
            {"kind": "semi-10", "batch_size": 10, "norm_images": 2},
            "finetune",
            {"gpus": 5},
            r"protocols\.p\.norm_images: 10 images are normalised in 5 part\(s\) of at most 2, which 8 processes ",
        ),
        (
            {"kind": "knn", "k": 1},
            "features",
            {"gpus": 7, "nodes": 2},
            r"resources\.features: 16 processes \(gpus × nodes\) are more than the 14 training images of 'photos'",
        ),
    ],
)
def test_more_processes_than_can_share_the_work_are_refused(
    tmp_path: Path, protocol: dict, stage: str, fits: dict, message: str
) -> None:
    task = "photos" if stage == "features" else "digits"
    check_experiment(experiment(tmp_path / "fits", task, {stage: fits}, **protocol))
    more = EIGHT | ({"gpus": 8} if stage == "features" else {})
    with pytest.raises(MastError, match=message) as error:
        check_experiment(experiment(tmp_path / "not", task, {stage: more}, **protocol))
    assert "\n" not in str(error.value)


def test_detection_shares_batches_evenly() -> None:
    DetectionProtocol(kind="detection", batch_size=16).check_processes("p", 8)
    with pytest.raises(MastError, match=r"protocols\.p\.batch_size: 16 images cannot be shared out over 6 processes; "):
        DetectionProtocol(kind="detection", batch_size=16).check_processes("p", 6)


def test_a_protocol_that_does_not_say_otherwise_runs_in_one_process() -> None:
    knn = KnnProtocol(kind="knn")
    knn.check_processes("p", 1)
    with pytest.raises(MastError, match=r"protocols\.p: 'knn' runs in one process, and 2 are asked for"):
        knn.check_processes("p", 2)


def test_protocols_that_read_features_have_no_nodes(tmp_path: Path) -> None:
    with pytest.raises(MastError, match=r"resources\.evaluate: unknown key 'nodes'"):
        experiment(tmp_path, "digits", {"evaluate": {"nodes": 2}}, kind="knn")
