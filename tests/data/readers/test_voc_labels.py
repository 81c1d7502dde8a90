"""VOC's classification lists become one target for each class."""

from pathlib import Path

import numpy as np
import pytest
from support.layouts import picture, text

from mast.data.prepare import prepare
from mast.data.prepared.store import PreparedData, open_prepared
from mast.data.readers.voc_labels import VocLabelsData
from mast.errors import MastError

LISTS = {
    "trainval": {"cat": {"000001": 1, "000002": -1, "000003": 0}, "dog": {"000001": -1, "000002": 1, "000003": 1}},
    "test": {"cat": {"000004": 1, "000005": -1}, "dog": {"000004": -1, "000005": 0}},
}


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    folder = tmp_path / "VOCdevkit/VOC2007"
    for image_set, classes in LISTS.items():
        for name, labels in classes.items():
            lines = [f"{image} {label:2d}" for image, label in labels.items()]
            text(folder / f"ImageSets/Main/{name}_{image_set}.txt", lines)
            for image in labels:
                picture(folder / f"JPEGImages/{image}.jpg", int(image) % 3, "train")
    return tmp_path / "VOCdevkit"


def prepared(devkit: Path) -> PreparedData:
    spec = VocLabelsData(kind="voc-labels", root=str(devkit), size=16, classes=("cat", "dog"))
    prepare("voc07", spec, devkit.parent / "data")
    return open_prepared(devkit.parent / "data")


def test_present_absent_and_to_be_ignored(devkit: Path) -> None:
    data = prepared(devkit)
    assert data.targets == {"cat": ["absent", "present"], "dog": ["absent", "present"]}
    assert data.labels("train").tolist() == [[1, 0], [0, 1], [-1, 1]]
    assert data.labels("test").tolist() == [[1, 0], [0, -1]]
    assert data.images("train").shape == (3, 16, 16, 3) and len(data.val_indices) == 1
    reds = np.asarray(data.images("train")).mean((1, 2))[:, 0]
    assert np.argsort(reds).tolist() == [2, 0, 1], "images 3, 1 and 2 have labels 0, 1 and 2 of the layouts' colours"


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("ImageSets/Main/dog_test.txt", "000004 -1\n000005 2\n", "line 2 is '000005 2', not an image and -1, 0 or 1"),
        ("ImageSets/Main/dog_test.txt", "000004 -1\n", "name different images"),
        ("ImageSets/Main/dog_test.txt", "", "lists no image"),
        ("ImageSets/Main/dog_test.txt", None, "root is the directory that holds VOC2007"),
        ("JPEGImages/000005.jpg", None, "000005.jpg: no such file"),
    ],
)
def test_faults_are_named_in_one_line(devkit: Path, file: str, content: str | None, message: str) -> None:
    path = devkit / "VOC2007" / file
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(MastError, match=message) as error:
        prepared(devkit)
    assert "\n" not in str(error.value)


def test_names_with_spaces_are_whole(devkit: Path) -> None:
    folder = devkit / "VOC2007"
    for image_set, classes in LISTS.items():
        for name, labels in classes.items():
            named = {f"photo {image}" if image != "000001" else "photo": label for image, label in labels.items()}
            text(folder / f"ImageSets/Main/{name}_{image_set}.txt", [f"{key}  {label}" for key, label in named.items()])
    for image in ("000001", "000002", "000003", "000004", "000005"):
        new = "photo" if image == "000001" else f"photo {image}"
        (folder / f"JPEGImages/{image}.jpg").rename(folder / f"JPEGImages/{new}.jpg")
    assert prepared(devkit).labels("train").tolist() == [[1, 0], [0, 1], [-1, 1]]


def test_an_image_that_is_listed_twice_is_refused(devkit: Path) -> None:
    text(devkit / "VOC2007/ImageSets/Main/dog_test.txt", ["000004 1", "000005 -1", "000004 -1"])
    with pytest.raises(MastError, match=r"dog_test\.txt: lists image '000004' twice; name each image once"):
        prepared(devkit)
