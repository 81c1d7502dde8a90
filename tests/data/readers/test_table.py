"""Images listed in a file get labels of several targets and splits; errors in the list are reported."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from mast.data.outside import changes, snapshot
from mast.data.prepare import prepare
from mast.data.prepared.store import PreparedData, open_prepared
from mast.data.readers.table import TableData
from mast.errors import MastError

COUNT = 12


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twelve images of different grey at different depths."""
    for number in range(COUNT):
        file = tmp_path / place(number)
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 16), (20 * number,) * 3).save(file)
    return tmp_path


def place(number: int) -> str:
    return f"images/{'deep/er/' if number % 2 else ''}photo {number}.png"


def rows(**columns: list[str]) -> list[dict[str, str]]:
    table = {"path": [place(number) for number in range(COUNT)], **columns}
    return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]


def written(root: Path, table: list[dict[str, str]], suffix: str = ".csv") -> Path:
    file = root / f"list{suffix}"
    if suffix == ".jsonl":
        text = "".join(json.dumps(row) + "\n" for row in table)
    else:
        mark = "," if suffix == ".csv" else "\t"
        text = "\n".join(mark.join(line) for line in [table[0].keys(), *(row.values() for row in table)]) + "\n"
    file.write_text(text, encoding="utf-8")
    return file


def prepared(root: Path, file: Path, **settings: object) -> PreparedData:
    spec = TableData(kind="table", file=str(file), root=str(root), size=16, **settings)
    spec.check(evaluated=False)
    prepare("mine", spec, root / "prepared")
    return open_prepared(root / "prepared")


COLUMNS = {
    "colour": ["red", "None"] * 6,
    "grade": ["1", "2", "10"] * 4,
    "part": ["train"] * 6 + ["valid"] * 2 + ["test"] * 4,
}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_columns_become_targets_and_splits(root: Path, suffix: str) -> None:
    file = written(root, rows(**COLUMNS), suffix)
    data = prepared(root, file, targets=("colour", "grade"), split="part")
    assert data.targets == {"colour": ["None", "red"], "grade": ["1", "10", "2"]}
    assert data.labels("train").tolist() == [[1, 0], [0, 2], [1, 1], [0, 0], [1, 2], [0, 1], [1, 0], [0, 2]]
    assert data.labels("test").tolist() == [[1, 1], [0, 0], [1, 2], [0, 1]]
    assert data.val_indices.tolist() == [6, 7]
    greys = np.asarray(data.images("test")).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(greys, [160, 180, 200, 220])


def test_known_labels_are_those_that_are_prepared(root: Path) -> None:
    file = written(root, rows(**COLUMNS))
    settings = {"targets": ("colour", "grade"), "test_fraction": 0.25}
    spec = TableData(kind="table", file=str(file), root=str(root), size=16, **settings)
    data = prepared(root, file, **settings)
    known = spec.known_labels
    assert known.classes == {"colour": 2, "grade": 3}
    assert known.train.tolist() == data.labels("train").tolist()
    assert known.test.tolist() == data.labels("test").tolist()
    assert known.validation.tolist() == data.val_indices.tolist()
    assert spec.train_count == len(known.train) == 8


def test_plain_text_lists_unlabeled_images(root: Path) -> None:
    file = root / "list.txt"
    file.write_text("\ufeff" + "\r\n".join(place(number) for number in range(COUNT)), encoding="utf-8")
    data = prepared(root, file)
    assert data.labels("train") is None
    assert len(data.images("train")) == COUNT


def test_cells_are_read_as_they_stand(root: Path) -> None:
    """Quotes, a trailing comma, CRLF, a column without a name, and columns that are not used."""
    lines = [f'"{place(number)}", "a ""b"", c{number % 2}",' for number in range(COUNT)]
    file = root / "list.CSV"
    file.write_bytes(("\ufeffpath,label,\r\n\r\n" + "\r\n".join(lines)).encode())
    assert prepared(root, file, targets=("label",)).targets == {"label": ['a "b", c0', 'a "b", c1']}
    file = root / "list.jsonl"
    file.write_text("".join(json.dumps(row | {"boxes": [1], "n": None}) + "\n\n" for row in rows()))
    assert TableData(kind="table", file=str(file), root=str(root)).train_count == COUNT


def test_a_class_whose_images_cannot_be_read_is_named(root: Path) -> None:
    (root / place(3)).write_bytes(b"no image")
    file = written(root, rows(colour=["a", "a", "a", "b"] + ["a"] * 8))
    with pytest.raises(MastError, match="'colour': of class 'b' no image of train can be read"):
        prepared(root, file, targets=("colour",), unreadable="skip")


def test_absolute_paths_need_no_root(root: Path) -> None:
    table = [row | {"path": str(root / row["path"])} for row in rows()]
    assert len(prepared(root, written(root, table)).images("train")) == COUNT


def test_images_outside_a_root_that_is_a_link_are_found_again(root: Path) -> None:
    (root / "deep" / "elsewhere").mkdir(parents=True)
    (root / "link").symlink_to(root / "deep" / "elsewhere")
    file = written(root, [row | {"path": str(root / row["path"])} for row in rows()])
    spec = TableData(kind="table", file=str(file), root=str(root / "link"), size=16, storage="index")
    prepare("mine", spec, root / "prepared")
    assert len(open_prepared(root / "prepared").images("train")[:COUNT]) == COUNT
    assert len(snapshot(spec.sources()).names) == 1 + COUNT


def hugging_face(root: Path, test: str = "test") -> None:
    """An ImageFolder with lists: in the folder of each split, with paths that start there."""
    for split, numbers in (("train", range(8)), (test, range(8, COUNT))):
        lines = []
        for number in numbers:
            file = root / "own" / split / f"deep/{number % 2}.{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 16), (20 * number,) * 3).save(file)
            lines.append(json.dumps({"file_name": f"deep/{file.name}", "colour": ["red", "blue"][number % 2]}) + "\n")
        (root / "own" / split / "metadata.jsonl").write_text("".join(lines))


def test_an_image_folder_with_a_list_in_each_split_is_read(root: Path) -> None:
    hugging_face(root)
    data = prepared(root, root / "own", path="file_name", targets=("colour",))
    assert data.labels("train")[:, 0].tolist() == [1, 0] * 4
    greys = np.asarray(data.images("test")).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(greys, [160, 180, 200, 220])
    spec = TableData(kind="table", file=str(root / "own"), root=str(root), path="file_name")
    before = snapshot(spec.sources())
    (root / "own/val").mkdir()
    (root / "own/val/metadata.csv").write_text("file_name\n")
    assert changes(before, before.again()).added == ("own/val/metadata.csv",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda own: (own / "test/metadata.jsonl").write_text('{"file_name": "no.png"}'), r"line 1: .*no such file"),
        (lambda own: (own / "test").rename(own / "other"), r"other/metadata.jsonl: its name does not say train, val"),
        (lambda own: [file.unlink() for file in own.rglob("metadata.*")], r"own: holds no metadata.csv or metadata"),
        (
            lambda own: (own / "test/metadata.jsonl").write_text(json.dumps({"file_name": "../train/deep/0.0.png"})),
            r"own: .*0\.0\.png is listed more than once",
        ),
    ],
    ids=["missing image", "another split", "no lists", "in two splits"],
)
def test_what_is_wrong_with_such_a_folder_is_named(root: Path, change: object, message: str) -> None:
    hugging_face(root)
    change(root / "own")
    with pytest.raises(MastError, match=message):
        TableData(kind="table", file=str(root / "own"), root=str(root), path="file_name").check(evaluated=False)


WRONG = {
    "missing images": (
        rows(path=["a.png", "b.png", *map(place, range(2, COUNT))]),
        {},
        r"line 2: .*a\.png: no such file",
    ),
    "several are counted": (
        rows(path=["a.png", "b.png", *map(place, range(2, COUNT))]),
        {},
        r"\(so in 2 of 12 rows\)",
    ),
    "twice": (rows(path=[place(0), *map(place, range(COUNT - 1))]), {}, "photo 0.png is listed more than once"),
    "no such column": (rows(), {"targets": ("colour",)}, "has no column 'colour'"),
    "a mistyped column": (rows(colour=["a", "b"] * 6), {"targets": ("color",)}, "did you mean 'colour'"),
    "empty labels": (
        rows(colour=["a", ""] * 6),
        {"targets": ("colour",)},
        r"line 3: 'colour' is empty \(so in 6 of 12",
    ),
    "one class": (rows(colour=["a"] * 12), {"targets": ("colour",)}, "'colour' has only one value, 'a'"),
    "another split": (
        rows(part=["train"] * 11 + ["tset"]),
        {"split": "part"},
        "line 13: split 'tset' is not train, val",
    ),
    "no train": (rows(part=["test"] * 12), {"split": "part"}, "no image has the split train"),
    "the same file by another name": (
        rows(path=[place(0), "images/../" + place(0), *map(place, range(2, COUNT))]),
        {},
        "photo 0.png is listed more than once",
    ),
    "classes that look the same": (
        rows(colour=["red", "red ", "blue"] * 4),
        {"targets": ("colour",)},
        "'colour': two classes look the same, .*spaces at an end",
    ),
    "a class of val alone": (
        rows(colour=["a", "b"] * 5 + ["c", "a"], part=["train"] * 10 + ["val"] * 2),
        {"targets": ("colour",), "split": "part"},
        "class 'c' is in val but not in train",
    ),
    "a class that is drawn for testing": (
        rows(colour=["a", "b"] * 6, rare=[*"abcdefghijkl"]),
        {"targets": ("colour", "rare"), "test_fraction": 0.5},
        "'rare': class '.' is in test .drawn with test_fraction and split_seed 0. but not in train",
    ),
    "a class of test alone": (
        rows(colour=["a", "b"] * 5 + ["c", "a"], part=["train"] * 10 + ["test"] * 2),
        {"targets": ("colour",), "split": "part"},
        "class 'c' is in test but not in train",
    ),
}


@pytest.mark.parametrize(("table", "settings", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_named_before_anything_is_prepared(
    root: Path, table: list[dict[str, str]], settings: dict[str, object], message: str
) -> None:
    with pytest.raises(MastError, match=message) as caught:
        prepared(root, written(root, table), **settings)
    assert "\n" not in str(caught.value)
    assert not (root / "prepared").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list.csv", 'path\n"images', "cannot be read as CSV"),
        ("list.jsonl", '{"path": "a"}\n{"path"', "cannot be read as JSONL"),
        ("list.xlsx", "", "the suffix says the format; use .csv, .tsv, .jsonl, .txt"),
        ("list.csv", "path,label\n", "lists no image"),
        ("list.csv", None, "no such file"),
        ("list.csv", ",\na,b\n", "lists no image"),
        ("list.jsonl", "{}\n", "lists no image"),
        ("list.jsonl", "[" * 100_000, "line 1: cannot be read as JSONL"),
        ("list.csv", "path,label,label\na,1,2\n", "has 2 columns 'label'"),
        ("list.csv", "path,path \na,1\n", "has 2 columns 'path'"),
        ("list.csv", "path\na.png,b\n", "line 2: has 2 cells, but there are 1 columns; a cell that holds"),
        ("list.csv", "path,n\r\n\r\n,1\r\n", "line 3: 'path' is empty"),
        ("list.csv", 'path,n\n"a\nb.png",1\n,2\n', "line 4: 'path' is empty"),
        ("list.txt", "\n\na.png\n", r"line 3: .*a\.png: no such file"),
        ("list.jsonl", '\n["a"]\n', "line 2: is not a JSON object"),
        ("list.jsonl", '{"path": "a"}\n{"n": 1}', "line 2: 'path' is empty"),
        ("list.jsonl", '{"path": ["a"]}', "line 1: 'path' is a list or an object"),
        ("list.txt", r"images\photo 0.png", "no such file; write / between folders"),
    ],
)
def test_files_that_cannot_be_read_are_named(root: Path, name: str, content: str | None, message: str) -> None:
    file = root / name
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(MastError, match=message) as caught:
        prepared(root, file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "part", "test_fraction": 0.2}, "leave one out"),
        ({"targets": ["path"]}, "a column is named twice"),
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TableData(kind="table", file="a.csv", root=".", **settings)


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        ({}, {}, "needs `targets`"),
        ({"colour": ["a", "b"] * 6}, {"targets": ("colour",)}, "needs test images"),
    ],
)
def test_a_task_needs_labels_and_test_images(
    root: Path, columns: dict[str, list[str]], settings: dict[str, object], message: str
) -> None:
    spec = TableData(kind="table", file=str(written(root, rows(**columns))), root=str(root), **settings)
    with pytest.raises(MastError, match=message):
        spec.check(evaluated=True)
