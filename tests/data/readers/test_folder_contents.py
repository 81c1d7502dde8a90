"""Every image of a folder is read, whatever its format; `val` is used; left-out files are counted and named."""

import logging
import shutil
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from mast.data.prepare import prepare
from mast.data.prepared.store import PreparedData, open_prepared
from mast.data.readers.folder import FolderData
from mast.errors import MastError

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


def image(path: Path, level: int = 0, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (9, 8), (level,) * len(mode)).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of three images to train on and one to test on."""
    for split, count in (("train", 3), ("test", 1)):
        for label, name in enumerate(("cat", "dog")):
            for number in range(count):
                image(tmp_path / "pets" / split / name / f"{number}.png", 100 * (label + 1) + number)
    return tmp_path / "pets"


def reader(root: Path, **settings: object) -> FolderData:
    return FolderData(kind="folder", root=str(root), size=8, **settings)


def prepared(root: Path, **settings: object) -> PreparedData:
    prepare("own", reader(root, **settings), root.parent / "prepared")
    return open_prepared(root.parent / "prepared")


FORMATS = ("jfif", "jpe", "jp2", "j2k", "avif", "apng", "dib", "ppm", "pgm", "pnm", "tga", "pcx", "qoi", "sgi", "dds")


@pytest.mark.parametrize("storage", ["arrays", "index"])
def test_formats_that_pillow_reads(root: Path, storage: str) -> None:
    for number, suffix in enumerate(FORMATS):
        image(root / f"train/cat/{number:02d}x.{suffix}", 50, "L" if suffix == "pgm" else "RGB")
    data = prepared(root, storage=storage)
    assert data.manifest.splits["train"] == {"count": 6 + len(FORMATS), "skipped": 0}
    levels = np.asarray(data.images("train")[:]).reshape(data.count("train"), -1)
    assert sorted(levels[:, 0].tolist())[: len(FORMATS)] == pytest.approx([50] * len(FORMATS), abs=2)


@pytest.mark.parametrize("name", ["x.heic", "x.HEIF", "x.hif", "a photograph of a telephone.jpg"])
def test_heif_is_read_by_its_plugin(root: Path, name: str) -> None:
    path = root / "train/cat" / name
    pixels = Image.new("RGB", (16, 16), (50, 50, 50))
    pillow_heif.from_pillow(pixels).save(str(path.with_suffix(".heic")))
    path.with_suffix(".heic").rename(path)
    data = prepared(root)
    assert data.manifest.splits["train"] == {"count": 7, "skipped": 0}
    assert np.asarray(data.images("train")).min() == pytest.approx(50, abs=3)


def test_heif_without_its_plugin_says_what_to_install(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(Image, "open", lambda path: (_ for _ in ()).throw(Image.UnidentifiedImageError(str(path))))
    (root / "train/cat/x.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    for file in (root / "train/cat").glob("*.png"):
        file.unlink()
    with pytest.raises(MastError, match=r"x\.heic: .*\(HEIF, which needs pillow-heif: pip install pillow-heif\); r"):
        prepared(root)


def test_what_is_left_out_is_counted_and_named(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("labels.csv", "train/notes.txt", "train/cat/x.psd", "train/cat/.x.png", "test/dog/points.pcd"):
        (root / name).touch()
    for name in (".DS_Store", "train/Thumbs.db", "train/cat/._0.png", "train/__MACOSX/._0.png", "__MACOSX/a/b.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    image(root / "raw/1.png")
    image(root / "train/.cache/0.png")
    with caplog.at_level(logging.WARNING):
        data = prepared(root)
    left_out = ["labels.csv", "raw/", "train/.cache/", "train/notes.txt", "train/cat/.x.png", "train/cat/x.psd"]
    assert data.manifest.named == {"train": {"left_out": left_out}, "test": {"left_out": ["test/dog/points.pcd"]}}
    assert data.manifest.splits["train"] == {"count": 6, "skipped": 0, "left_out": 6}
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 2 and all("\n" not in line for line in warnings)
    assert warnings[0].startswith(
        "own, train: files and folders left out (no images, hidden, or not of the layout): 6 ("
    )
    assert warnings[0].endswith("(labels.csv, raw/, train/.cache/, …)")


def test_many_names_are_not_all_named(root: Path) -> None:
    for number in range(30):
        (root / f"train/cat/{number:02d}.txt").touch()
    data = prepared(root)
    assert data.manifest.splits["train"]["left_out"] == 30
    assert data.manifest.named["train"]["left_out"] == [f"train/cat/{number:02d}.txt" for number in range(20)]


def test_skipped_images_are_named(root: Path) -> None:
    (root / "train/cat/1.png").write_bytes(b"")
    with pytest.raises(MastError, match=r"cat/1\.png: cannot be read as an image \(empty\); repair or remove it"):
        prepared(root)
    data = prepared(root, unreadable="skip")
    assert data.manifest.named == {"train": {"skipped": ["train/cat/1.png"]}}


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_images_of_val_are_the_validation_split(root: Path, name: str) -> None:
    for number in range(2):
        image(root / name / "dog" / f"{number}.png", 210 + number)
    data = prepared(root)
    assert data.manifest.splits == {"train": {"count": 8, "skipped": 0}, "test": {"count": 2, "skipped": 0}}
    levels, labels = data.images("train")[:, 0, 0, 0], data.labels("train")[:, 0]
    assert levels.tolist() == [100, 101, 102, 200, 201, 202, 210, 211]
    assert labels.tolist() == [0, 0, 0, 1, 1, 1, 1, 1] and data.val_indices.tolist() == [6, 7]
    known = reader(root).known_labels
    assert known.train[:, 0].tolist() == labels.tolist() and known.validation.tolist() == [6, 7]
    (root / "train/cat/1.png").write_bytes(b"")
    assert prepared(root, unreadable="skip").val_indices.tolist() == [5, 6]


def test_val_of_unlabeled_images(tmp_path: Path) -> None:
    for number in range(4):
        image(tmp_path / f"flat/{'val' if number == 3 else 'train'}/{number}.png", number)
    data = prepared(tmp_path / "flat")
    assert data.images("train")[:, 0, 0, 0].tolist() == [0, 1, 2, 3] and data.val_indices.tolist() == [3]


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["val/cat/0.png", "valid/cat/0.png"], "pets: has both val and valid; keep one"),
        (["val/0.png"], "pets/val: holds no class folders, but train does; expected"),
        (["val/bird/0.png"], "val/bird: class 'bird' is in val but not in train"),
        (["valid/notes.txt"], r"pets/valid: holds no images \(but notes.txt; such as .*\.heic"),
    ],
)
def test_faults_of_val(root: Path, folders: list[str], message: str) -> None:
    for name in folders:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch() if name.endswith("txt") else image(root / name)
    with pytest.raises(MastError, match=message):
        prepared(root)


def test_classes_are_the_same_in_either_form_of_accents(root: Path) -> None:
    before = prepared(root).manifest.files
    (root / "train/cat").rename(root / f"train/{NFC}")
    (root / "test/cat").rename(root / f"test/{NFD}")
    data = prepared(root)
    assert data.targets == {"class": [NFC, "dog"]} and data.manifest.files == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "test/cat",
            "test/cat\u200b",
            r"rename one: 'cat\\u200b' and 'cat': they differ by characters that do not",
        ),
        ("test/cat", "test/Cat", "rename one: 'Cat' and 'cat': they differ by case"),
        ("test/cat", "test/cat ", "rename one: 'cat ' and 'cat': they differ by spaces at an end"),
        ("train", "train ", r"pets/train : rename it to train \('train ' and 'train'"),
        ("test", "Test", r"pets/Test: rename it to test \('Test' and 'test': they differ by case\)"),
        ("test", "test\ufeff", r"rename it to test \('test\\ufeff' and 'test': they differ by characters"),
    ],
)
@pytest.mark.usefixtures("distinct_names")
def test_names_that_look_right_are_told(root: Path, old: str, new: str, message: str) -> None:
    (root / old).rename(root / new)
    with pytest.raises(MastError, match=message) as error:
        prepared(root)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("first", "second"), [(NFC, NFD), ("cat", "cat\u200b"), ("cat", "cat ")])
@pytest.mark.usefixtures("distinct_names")
def test_two_classes_that_look_the_same_are_refused(root: Path, first: str, second: str) -> None:
    shutil.copytree(root / "train/dog", root / "train" / first, dirs_exist_ok=True)
    shutil.copytree(root / "train/dog", root / "train" / second)
    with pytest.raises(MastError, match=r"train: two classes look the same, .* they differ .*; merge or rename them"):
        prepared(root)


@pytest.mark.usefixtures("distinct_names")
def test_classes_that_differ_by_case_alone_are_warned_of(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copytree(root / "train/dog", root / "train/Cat")
    assert prepared(root).targets == {"class": ["Cat", "cat", "dog"]}
    assert "the classes 'Cat' and 'cat' differ only in case" in caplog.text


def test_a_class_without_images_says_what_it_holds(root: Path) -> None:
    (root / "train/bird").mkdir()
    (root / "train/bird/x.psd").touch()
    with pytest.raises(MastError, match=r"bird: class folder without images \(it holds x\.psd\); remove it"):
        prepared(root)


@pytest.mark.parametrize("storage", ["arrays", "index"])
def test_the_range_of_deep_images(tmp_path: Path, storage: str) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "deep").mkdir()
    for number in range(4):
        Image.fromarray(rng.integers(0, 4096, (8, 8), dtype=np.uint16)).save(tmp_path / f"deep/{number}.png")
    full = prepared(tmp_path / "deep", storage=storage)
    assert full.manifest.splits["train"]["narrow"] == 4 and np.asarray(full.images("train")[:]).max() == 16
    assert full.manifest.named == {"train": {"narrow": ["0.png", "1.png", "2.png", "3.png"]}}
    stretched = prepared(tmp_path / "deep", storage=storage, range=[0, 4095])
    pixels = np.asarray(stretched.images("train")[:])
    assert "narrow" not in stretched.manifest.splits["train"] and pixels.max() > 250
    assert stretched.mean == pytest.approx([pixels.mean() / 255] * 3, abs=1e-5)
    minmax = prepared(tmp_path / "deep", storage=storage, range="minmax")
    assert np.asarray(minmax.images("train")[:]).max((1, 2, 3)).tolist() == [255] * 4
    assert len({full.sha256, stretched.sha256, minmax.sha256}) == 3


def test_settings_that_came_later_are_not_in_the_spec_until_they_are_used(root: Path) -> None:
    assert "range" not in reader(root).model_dump(mode="json")
    assert '"range":[0.0,4095.0]' in reader(root, range=[0, 4095]).model_dump_json()


@pytest.mark.parametrize("below", ["", "train/"])
def test_unlabeled_images_lie_at_any_depth(tmp_path: Path, below: str) -> None:
    places = ["all/a.png", "all/b.png", "2024/may/c.png", "2024/june/d.png"]
    for number, place in enumerate(places):
        file = tmp_path / "photos" / (below + place)
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (10 * number,) * 3).save(file)
    spec = FolderData(kind="folder", root=str(tmp_path / "photos"), size=16, labels="none")
    assert spec.train_count == 4
    prepare("photos", spec, tmp_path / "data")
    data = open_prepared(tmp_path / "data")
    assert data.labels("train") is None
    assert len(data.images("train")) == 4
    assert data.targets == {}
    with pytest.raises(MastError, match="needs labels; leave out labels: none"):
        spec.check(evaluated=True)


def test_a_key_that_came_later_leaves_the_spec_of_older_data() -> None:
    assert "labels" not in FolderData(kind="folder", root="photos").model_dump(mode="json")
    assert FolderData(kind="folder", root="photos", labels="none").model_dump(mode="json")["labels"] == "none"


def test_without_any_image_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(MastError, match="holds no images"):
        _ = FolderData(kind="folder", root=str(tmp_path), labels="none").train_count
