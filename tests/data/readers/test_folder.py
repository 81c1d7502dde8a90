"""Folders of images become classes and splits in a fixed order; what does not fit is one line that names it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mast.data.folders import list_splits
from mast.data.outside import changes, snapshot
from mast.data.prepare import prepare
from mast.data.prepared.store import PreparedData, open_prepared
from mast.data.readers.folder import FolderData
from mast.errors import MastError


def image(path: Path, level: int = 0, size: tuple[int, int] = (9, 8), mode: str = "L") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, level if mode == "L" else (level,) * len(mode)).save(path)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes; the grey level of each image is 100 for cats and 200 for dogs, plus its number."""
    root = tmp_path / "pets"
    for split, count in (("train", 5), ("test", 2)):
        for label, name in enumerate(("cat", "dog")):
            for number in range(count):
                image(root / split / name / f"{number}.png", 100 * (label + 1) + number)
    return root


def prepared(root: Path, tmp_path: Path, **settings: object) -> PreparedData:
    prepare("own", FolderData(kind="folder", root=str(root), size=8, **settings), tmp_path / "prepared")
    return open_prepared(tmp_path / "prepared")


def fails(root: Path, tmp_path: Path, match: str, **settings: object) -> None:
    with pytest.raises(MastError, match=match) as error:
        prepared(root, tmp_path, **settings)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "prepared/manifest.json").exists()


def test_labelled_images(root: Path, tmp_path: Path) -> None:
    data = prepared(root, tmp_path, licence="CC0")
    data.verify()
    assert data.targets == {"class": ["cat", "dog"]}
    assert data.manifest.licence == "CC0"
    for split, count in (("train", 5), ("test", 2)):
        labels, levels = data.labels(split)[:, 0], data.images(split)[:, 4, 4, 0]
        assert list(levels) == [100 + n for n in range(count)] + [200 + n for n in range(count)]
        assert np.array_equal(labels, levels // 100 - 1)
    assert np.bincount(data.labels("train")[data.val_indices, 0]).tolist() == [1, 1]


def test_preparing_twice_gives_the_same_identity(root: Path, tmp_path: Path) -> None:
    prepare("own", FolderData(kind="folder", root=str(root), size=8), tmp_path / "a")
    prepare("own", FolderData(kind="folder", root=str(root), size=8), tmp_path / "b", threads=3)
    assert open_prepared(tmp_path / "a").manifest == open_prepared(tmp_path / "b").manifest


@pytest.mark.parametrize("below", ["", "train"])
def test_unlabelled_images(tmp_path: Path, below: str) -> None:
    root = tmp_path / "flat"
    for number in range(10):
        image(root / below / f"{number}.png", number)
    data = prepared(root, tmp_path)
    assert data.splits == ("train",)
    assert data.labels("train") is None and data.targets == {}
    assert data.images("train")[:, 0, 0, 0].tolist() == list(range(10))
    assert len(data.val_indices) == 2


@pytest.mark.parametrize("below", ["", "train"])
def test_classes_without_a_test_split_are_split_by_chance(tmp_path: Path, below: str) -> None:
    for label, name in enumerate(("cat", "dog")):
        for number in range(10 + 10 * label):
            image(tmp_path / "own" / below / name / "deep" / f"{number}.png", 100 * (label + 1) + number)
    data = prepared(tmp_path / "own", tmp_path, test_fraction=0.3)
    assert [np.bincount(data.labels(split)[:, 0]).tolist() for split in ("train", "test")] == [[7, 14], [3, 6]]
    levels = {split: data.images(split)[:, 4, 4, 0] for split in ("train", "test")}
    assert all(np.array_equal(data.labels(split)[:, 0], own // 100 - 1) for split, own in levels.items())
    assert not set(levels["train"]) & set(levels["test"])
    spec = FolderData(kind="folder", root=str(tmp_path / "own"), test_fraction=0.3)
    assert spec.known_labels.test.tolist() == data.labels("test").tolist()
    assert spec.known_labels.validation.tolist() == data.val_indices.tolist()
    assert FolderData(kind="folder", root="x").model_dump().keys() & {"test_fraction"} == set(), "as it was before"
    before = snapshot(spec.sources())
    image(tmp_path / "own" / below / "cow" / "1.png")
    assert len(changes(before, before.again()).added) == 1


def test_images_of_val_stay_out_of_a_test_split_that_is_drawn(root: Path, tmp_path: Path) -> None:
    (root / "test").rename(root / "val")
    data = prepared(root, tmp_path, test_fraction=0.4)
    assert data.val_indices.tolist() == [6, 7, 8, 9]
    assert data.images("train")[6:, 4, 4, 0].tolist() == [100, 101, 200, 201]
    assert data.count("test") == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: None, "pets/test: is the test split; leave out test_fraction"),
        (lambda root: [(root / "test").rename(root / "val"), (root / "train").rename(root / "cats")], "has val but no"),
        (lambda root: [shutil.rmtree(root / "test"), shutil.rmtree(root / "train/cat")], "train: only one class"),
        (lambda root: [shutil.rmtree(root / "test"), shutil.rmtree(root / "train")], "pets: holds no images"),
    ],
    ids=["a test split", "no train", "one class", "nothing"],
)
def test_what_nothing_can_be_drawn_from_is_named(root: Path, tmp_path: Path, change: object, message: str) -> None:
    change(root)
    fails(root, tmp_path, message, test_fraction=0.5)


def test_labelled_training_images_alone_are_enough_to_pretrain_on(root: Path, tmp_path: Path) -> None:
    (root / "test").rename(tmp_path / "elsewhere")
    data = prepared(root, tmp_path)
    assert data.splits == ("train",) and data.labels("train").shape == (10, 1)


def test_names_suffixes_and_nested_folders(root: Path, tmp_path: Path) -> None:
    image(root / "train/cat/with space/Größe 猫.PNG", 150)
    image(root / "train/cat/upper.JPeG", 151)
    (root / "train/cat/notes.txt").write_text("not an image")
    image(root / "train/cat/.hidden.png", 1)
    image(root / "train/cat/.thumbnails/0.png", 1)
    image(root / "train/.trash/0.png", 1)
    (root / "train/cat/folder.png").mkdir()
    data = prepared(root, tmp_path)
    levels = data.images("train")[data.labels("train")[:, 0] == 0][:, 4, 4, 0]
    assert sorted(levels.tolist()) == [100, 101, 102, 103, 104, 150, 151]


def test_all_modes_side_by_side(root: Path, tmp_path: Path) -> None:
    for number, (mode, suffix) in enumerate([("RGB", "jpg"), ("RGBA", "webp"), ("CMYK", "tiff"), ("RGB", "bmp")]):
        image(root / f"train/dog/{number}x.{suffix}", 255 if mode != "CMYK" else 0, size=(5 + number, 40), mode=mode)
    data = prepared(root, tmp_path)
    assert np.sum(data.images("train").min((1, 2, 3)) >= 250) == 4


def test_order_does_not_depend_on_the_file_system(root: Path) -> None:
    files = list_splits(root)["train"].files
    assert files == sorted(files)


def test_symlinks_are_followed_and_loops_are_harmless(root: Path, tmp_path: Path) -> None:
    image(tmp_path / "elsewhere/linked.png", 160)
    (root / "train/cat/more").symlink_to(tmp_path / "elsewhere")
    (root / "train/cat/loop").symlink_to(root / "train/cat")
    (root / "train/cat/up").symlink_to(root)
    listing = list_splits(root)["train"]
    cats = [file.name for file, label in zip(listing.files, listing.labels, strict=True) if label == 0]
    assert "linked.png" in cats
    assert len(cats) < 40, "each real folder is entered once"


def test_missing_folder(tmp_path: Path) -> None:
    fails(tmp_path / "nowhere", tmp_path, "nowhere: no such directory; set root")


def test_root_is_a_file(tmp_path: Path) -> None:
    fails(image(tmp_path / "a.png"), tmp_path, r"a\.png: is a file")


def test_unreadable_folder_is_named(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = type(root).iterdir

    def refuse(path: Path) -> Iterator[Path]:
        if path.name == "cat":
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(type(root), "iterdir", refuse)
    fails(root, tmp_path, r"cat: cannot be read \(Permission denied\)")


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    fails(tmp_path / "empty", tmp_path, r"empty: holds no images \(.*\.webp\); expected <root>/train")


@pytest.mark.parametrize("split", ["train", "test"])
def test_empty_split(root: Path, tmp_path: Path, split: str) -> None:
    (root / split).rename(tmp_path / "old")
    (root / split).mkdir()
    fails(root, tmp_path, f"{split}: holds no images")


def test_class_folders_without_train(root: Path, tmp_path: Path) -> None:
    fails(root / "train", tmp_path, "train: has folders of images but no train folder; expected")


def test_test_without_train(root: Path, tmp_path: Path) -> None:
    (root / "train").rename(tmp_path / "old")
    fails(root, tmp_path, "test folder but no train folder")


def test_val_in_place_of_test(root: Path, tmp_path: Path) -> None:
    (root / "test").rename(root / "val")
    fails(root, tmp_path, "train and val but no test")


def test_images_beside_folders(root: Path, tmp_path: Path) -> None:
    image(root / "train/stray.png")
    fails(root, tmp_path, r"images both directly \(stray\.png\) and in folders")
    image(tmp_path / "mixed/a.png")
    image(tmp_path / "mixed/b/c.png")
    fails(tmp_path / "mixed", tmp_path, "mixed: holds images both directly and in folders")


def test_flat_train_beside_test(root: Path, tmp_path: Path) -> None:
    (root / "train").rename(tmp_path / "old")
    image(root / "train/a.png")
    fails(root, tmp_path, "train: holds no class folders")


def test_flat_test_beside_labelled_train(root: Path, tmp_path: Path) -> None:
    (root / "test").rename(tmp_path / "old")
    image(root / "test/a.png")
    fails(root, tmp_path, "test: holds no class folders")


@pytest.mark.parametrize("split", ["train", "test"])
def test_class_without_images(root: Path, tmp_path: Path, split: str) -> None:
    (root / split / "bird").mkdir()
    fails(root, tmp_path, f"{split}/bird: class folder without images")


def test_class_in_test_and_not_in_train(root: Path, tmp_path: Path) -> None:
    image(root / "test/bird/a.png")
    fails(root, tmp_path, "test/bird: class 'bird' is in test but not in train")


def test_class_in_train_and_not_in_test_keeps_its_number(root: Path, tmp_path: Path) -> None:
    image(root / "train/bird/a.png")
    image(root / "train/bird/b.png")
    data = prepared(root, tmp_path)
    assert data.targets == {"class": ["bird", "cat", "dog"]}
    assert data.labels("test")[:, 0].tolist() == [1, 1, 2, 2]


def test_one_class(root: Path, tmp_path: Path) -> None:
    for split in ("train", "test"):
        (root / split / "dog").rename(tmp_path / f"dog {split}")
    fails(root, tmp_path, r"train: only one class \('cat'\)")


def test_too_few_images(tmp_path: Path) -> None:
    image(tmp_path / "flat/a.png")
    fails(tmp_path / "flat", tmp_path, r"too few training images \(1\)")


def test_truncated_image_stops_or_is_skipped(root: Path, tmp_path: Path) -> None:
    broken = root / "train/cat/2.png"
    broken.write_bytes(broken.read_bytes()[:50])
    fails(root, tmp_path, r"cat/2\.png: cannot be read as an image \(.*\); repair .* or set unreadable: skip")
    data = prepared(root, tmp_path, unreadable="skip")
    assert data.manifest.splits["train"] == {"count": 9, "skipped": 1}
    assert data.images("train")[:, 4, 4, 0].tolist() == [100, 101, 103, 104, 200, 201, 202, 203, 204]
    assert np.array_equal(data.labels("train")[:, 0], data.images("train")[:, 4, 4, 0] // 100 - 1)


def test_broken_link_is_an_unreadable_image(root: Path, tmp_path: Path) -> None:
    (root / "train/cat/gone.png").symlink_to(tmp_path / "nothing.png")
    fails(root, tmp_path, r"gone\.png: cannot be read")


def test_class_of_unreadable_images_only(root: Path, tmp_path: Path) -> None:
    for file in (root / "test/dog").iterdir():
        file.write_bytes(b"")
    fails(root, tmp_path, "test/dog: none of its images can be read", unreadable="skip")


def test_failure_leaves_what_was_prepared_before(root: Path, tmp_path: Path) -> None:
    before = prepared(root, tmp_path).sha256
    (root / "train/cat/2.png").write_bytes(b"")
    with pytest.raises(MastError):
        prepared(root, tmp_path)
    data = open_prepared(tmp_path / "prepared")
    data.verify()
    assert data.sha256 == before
