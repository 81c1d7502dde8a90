"""Errors that files alone show are refused when the workflow is planned."""

from pathlib import Path

import pytest
from PIL import Image

from mast.config.experiment import Experiment
from mast.config.monitor import MonitorSpec
from mast.data.prepare import prepare
from mast.errors import MastError
from mast.preflight.experiment import check_experiment
from mast.settings import parse


def experiment(tmp_path: Path, datasets: dict | None = None, **run: object) -> Experiment:
    shapes = {"kind": "shapes", "train": 30, "test": 10, "size": 16}
    values = {
        "name": "mine",
        "results": str(tmp_path / "results"),
        "datasets": {"shapes": shapes, "digits": {"kind": "digits", "size": 16}} | (datasets or {}),
        "pretrain": {"dataset": "shapes", "batch_size": 8},
        "runs": {"mine": run},
        "protocols": {"knn": {"kind": "knn", "k": 2}},
        "studies": {"knn": {"title": "", "protocol": "knn", "tasks": [*(datasets or {"shapes": 0})], "runs": ["mine"]}},
    }
    return parse(Experiment, values, "test")


def folder(root: Path, *folders: str, images: int = 3) -> dict:
    for name in folders:
        (root / name).mkdir(parents=True)
        for number in range(images):
            Image.new("RGB", (16, 16)).save(root / name / f"{number}.png")
    return {"photos": {"kind": "folder", "root": str(root), "size": 16}}


def test_what_works_passes(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", "train/a", "train/b", "test/a", "test/b")
    check_experiment(experiment(tmp_path, photos, encoder={"name": "timm/resnet18"}))


@pytest.mark.parametrize(
    ("folders", "run", "message"),
    [
        ((), {}, r"datasets\.photos: .*photos"),
        (("train/a", "train/b"), {}, r"datasets\.photos: is a task of a study and needs .*/test/<class>"),
        (("train/a", "test/a", "train/b", "test/c"), {}, r"datasets\.photos: .*'c' is in test but not in train"),
        (
            ("train/a", "train/b", "test/a"),
            {"dataset": "photos"},
            r"runs\.mine: batch_size: 8 is more than the 6 training images of 'photos'",
        ),
        (
            ("train/a", "train/b", "test/a"),
            {"batch_size": 31},
            r"runs\.mine: batch_size: 31 is more than the 30 training images of 'shapes'",
        ),
        (
            ("train/a", "train/b", "test/a"),
            {"dataset": "digits", "batch_size": 1259},
            r"runs\.mine: batch_size: 1259 is more than the 1258 training images of 'digits'",
        ),
        (
            ("train/a", "train/b", "test/a"),
            {"encoder": {"name": "timm/resnet19"}},
            r"runs\.mine: encoder\.name: timm has no model 'resnet19'; did you mean",
        ),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(
    tmp_path: Path, folders: tuple[str, ...], run: dict, message: str
) -> None:
    photos = folder(tmp_path / "photos", *folders)
    with pytest.raises(MastError, match=message) as error:
        check_experiment(experiment(tmp_path, photos, **run))
    assert "\n" not in str(error.value)


def test_prepared_data_are_counted_by_their_manifest(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", "train/a", "train/b", "test/a", "test/b")
    (tmp_path / "photos/train/a/0.png").write_bytes(b"no image")
    photos["photos"]["unreadable"] = "skip"
    mine = experiment(tmp_path, photos, dataset="photos", batch_size=6)
    check_experiment(mine)
    prepare("photos", mine.datasets["photos"], tmp_path / "results/data/photos")
    with pytest.raises(MastError, match=r"batch_size: 6 is more than the 5 training images"):
        check_experiment(mine)


def test_a_bad_file_of_published_values_is_named(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    mine = experiment(tmp_path).model_copy(update={"published": str(file)})
    file.write_text("values: []\nvalues: []\n")
    with pytest.raises(MastError, match=r"values\.yaml: line 2: key 'values' is in line 1 already"):
        check_experiment(mine)
    file.unlink()
    with pytest.raises(MastError, match=r"values\.yaml: cannot be read"):
        check_experiment(mine)
    file.write_text("values: []\n")
    check_experiment(mine)


def test_published_values_that_nobody_asked_for_may_be_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_experiment(experiment(tmp_path))
    named = experiment(tmp_path).model_copy(update={"published": "config/published.yaml"})
    with pytest.raises(MastError, match=r"config/published\.yaml: cannot be read"):
        check_experiment(named)


def test_event_files_need_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = experiment(tmp_path).model_copy(update={"monitor": MonitorSpec(tensorboard=True)})
    check_experiment(asked)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MastError, match=r"monitor\.tensorboard: TensorBoard is not installed"):
        check_experiment(asked)
