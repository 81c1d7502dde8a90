"""Errors in shards are one line that names the file and the row or key."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from support.shards import png, sample, table, write_parquet, write_saved, write_stream, write_tar

from mast.cli import main
from mast.data.readers import READERS
from mast.errors import MastError

TWELVE = [member for number in range(12) for member in sample(number)]


def cut(file: Path, most: int) -> None:
    """Keep so many bytes; of a negative number, all but so many."""
    file.write_bytes(file.read_bytes()[:most])


def parquet(root: Path, **columns: object) -> Path:
    return write_parquet(root / "own.parquet", table(range(12), **columns))


def arrow(root: Path, **columns: object) -> Path:
    return write_stream(root / "own.arrow", table(range(12), **columns))


def tar(root: Path, members: list[tuple[str, bytes]] = TWELVE) -> Path:
    return write_tar(root / "own.tar", members)


def two(root: Path, first: pa.Table, second: pa.Table) -> None:
    write_parquet(root / "train-0.parquet", first)
    write_parquet(root / "train-1.parquet", second)


def splits(root: Path, train: list[int], test: list[int]) -> None:
    for split, numbers in (("train", train), ("test", test)):
        write_tar(root / f"{split}.tar", [member for number in numbers for member in sample(number)])


def incomplete(root: Path) -> None:
    write_parquet(root / "train-00001-of-00003.parquet", table(range(12)))


def unlisted(root: Path) -> None:
    write_saved(root, "train", [table(range(12))])
    (root / "train/data-00000-of-00001.arrow").rename(root / "train/other.arrow")


IMAGE = pa.array(map(png, range(12)), pa.binary())
LISTS = pa.array([[1]] * 12)

WRONG: dict[str, tuple[str, Callable[[Path], object], dict[str, object], str]] = {
    "Parquet, cut off": ("parquet", lambda root: cut(parquet(root), -100), {}, r"own\.parquet: cannot be read \(.*cut"),
    "Parquet, empty": ("parquet", lambda root: (root / "a.parquet").touch(), {}, r"a\.parquet: cannot be read \(.*cut"),
    "Parquet without rows": (
        "parquet",
        lambda root: write_parquet(root / "a.parquet", table([])),
        {},
        r"a\.parquet: holds no row",
    ),
    "stream, cut off": ("arrow", lambda root: cut(arrow(root), -200), {}, r"own\.arrow: cannot be read \(.*cut off"),
    "stream, without its end": ("arrow", lambda root: cut(arrow(root), -8), {}, r"own\.arrow: cannot be read \(it has"),
    "no stream": (
        "arrow",
        lambda root: (root / "a.arrow").write_bytes(b"something else"),
        {},
        r"a\.arrow: cannot be read",
    ),
    "tar, cut off in an image": (
        "webdataset",
        lambda root: cut(tar(root), 600),
        {},
        r"own\.tar: cannot be read \(unexp",
    ),
    "tar, cut off between members": (
        "webdataset",
        lambda root: cut(tar(root), 2048),
        {},
        r"own\.tar: cannot be read \(it has no end\)",
    ),
    "tar, damaged header": (
        "webdataset",
        lambda root: tar(root).write_bytes(tar(root).read_bytes()[:1024] + b"x" * 4096),
        {},
        r"own\.tar: cannot be read \(no header at byte 1,024\)",
    ),
    "packed tar, cut off": (
        "webdataset",
        lambda root: cut(write_tar(root / "own.tgz", TWELVE), 300),
        {},
        r"own\.tgz: cannot be read",
    ),
    "no tar": ("webdataset", lambda root: (root / "a.tar").write_bytes(b"x" * 2000), {}, r"a\.tar: cannot be read"),
    "tar without samples": (
        "webdataset",
        lambda root: tar(root, []),
        {},
        r"own\.tar: (cannot be read|holds no sample)",
    ),
    "shards missing": (
        "parquet",
        incomplete,
        {},
        r"train-00000-of-00003\.parquet: missing \(2 of 3 such shards\)",
    ),
    "a saved shard missing": (
        "arrow",
        unlisted,
        {},
        r"data-00000-of-00001\.arrow: missing, though .*state\.json lists",
    ),
    "no image column": (
        "parquet",
        parquet,
        {"image": "img"},
        r"own\.parquet: has no column 'img'; .*image, label, grade",
    ),
    "no label column": (
        "arrow",
        arrow,
        {"targets": ("lable",)},
        r"no column 'lable'; did you mean 'label'\?; it has image, label, grade",
    ),
    "no member of labels": (
        "webdataset",
        tar,
        {"targets": ("colour",)},
        r"no column 'colour'; choose from: cls, sex, count",
    ),
    "images of another type": (
        "parquet",
        lambda root: parquet(root, image=LISTS),
        {},
        r"'image' is of type list<.*; images have to be bytes",
    ),
    "nested labels": (
        "arrow",
        lambda root: arrow(root, grade=LISTS),
        {"targets": ("grade",)},
        r"own\.arrow: 'grade' is of type list<.*it has to be text or a number",
    ),
    "labels nested in some samples": (
        "webdataset",
        lambda root: tar(root, TWELVE[:-3] + sample(11, sex={"known": "f"})),
        {"targets": ("sex",)},
        r"own\.tar: key 'a/0011': 'sex' is a list or an object",
    ),
    "labels of two types": (
        "parquet",
        lambda root: two(root, table(range(6)), table(range(6), grade=list("ababab"))),
        {"targets": ("grade",)},
        r"train-1\.parquet: 'grade' holds text, but number in train-0\.parquet",
    ),
    "no label": (
        "parquet",
        lambda root: parquet(root, grade=[1, 2, None] * 4),
        {"targets": ("grade",)},
        r"own\.parquet: row 2: 'grade' is empty \(so in 4 of 12 rows\)",
    ),
    "empty text": (
        "webdataset",
        lambda root: tar(root, [("a.png", png(0)), ("a.cls", b" "), ("b.png", png(1)), ("b.cls", b"1")]),
        {"targets": ("cls",)},
        r"own\.tar: key 'a': 'cls' is empty",
    ),
    "a label in some samples": (
        "webdataset",
        lambda root: tar(root, [("a.png", png(0)), ("a.cls", b"1"), ("b.png", png(1))]),
        {"targets": ("cls",)},
        r"own\.tar: key 'b': 'cls' is empty",
    ),
    "a class of -1": (
        "parquet",
        lambda root: parquet(root, label=[-1] * 12),
        {"targets": ("label",)},
        r"row 0: 'label' is -1, which stands for no label \(so in 12 of 12 rows\)",
    ),
    "a class that has no name": (
        "parquet",
        lambda root: parquet(root, label=[0, 1, 7] * 4),
        {"targets": ("label",)},
        r"row 2: 'label' is 7, which is no class, of which there are 3",
    ),
    "an image that is missing": (
        "parquet",
        lambda root: parquet(root, image=[f"{number}.png" for number in range(12)]),
        {},
        r"own\.parquet: row 0: .*0\.png: no such file \(so in 12 of 12 rows\)",
    ),
    "a key without image": (
        "webdataset",
        lambda root: tar(root, [("a.cls", b"1"), ("a.json", b"{}")]),
        {},
        r"own\.tar: key 'a' has no image \(it has cls, json\)",
    ),
    "several images of a key": (
        "webdataset",
        lambda root: tar(root, [("a.left.png", png(0)), ("a.jpg", png(0))]),
        {},
        r"key 'a' has several images \(left\.png, jpg\); choose one in `image`",
    ),
    "another image of a key": (
        "webdataset",
        tar,
        {"image": "jpg"},
        r"key 'a/0000' has no 'jpg' \(it has png, cls",
    ),
    "a member twice": (
        "webdataset",
        lambda root: tar(root, [("a.png", png(0)), ("a.PNG", png(1))]),
        {},
        r"key 'a' has 'png' twice",
    ),
    "a key twice": ("webdataset", lambda root: tar(root, TWELVE + sample(3)), {}, r"key 'a/0003' comes twice"),
    "JSON that is none": (
        "webdataset",
        lambda root: tar(root, [("a.png", png(0)), ("a.json", b"{")]),
        {"targets": ("sex",)},
        r"own\.tar: key 'a': json cannot be read",
    ),
    "JSON that is a list": (
        "webdataset",
        lambda root: tar(root, [("a.png", png(0)), ("a.json", json.dumps([1]).encode())]),
        {"targets": ("sex",)},
        r"own\.tar: key 'a': json is not a JSON object",
    ),
    "text that is none": (
        "webdataset",
        lambda root: tar(root, [("a.png", png(0)), ("a.cls", b"\xff")]),
        {"targets": ("cls",)},
        r"own\.tar: key 'a': 'cls' is not text in UTF-8",
    ),
    "an image in two splits": (
        "webdataset",
        lambda root: splits(root, [0, 1, 2], [2, 3]),
        {},
        r"test\.tar: key 'a/0002' is also in .*train\.tar, of another split, with the same image; keep one",
    ),
    "a class that train lacks": (
        "webdataset",
        lambda root: splits(root, [0, 1, 3, 4], [2]),
        {"targets": ("cls",)},
        r"'cls': class '2' is in test but not in train",
    ),
    "one class": (
        "parquet",
        lambda root: parquet(root, grade=[1] * 12),
        {"targets": ("grade",)},
        "has only one value",
    ),
    "no such directory": ("parquet", lambda root: None, {"root": "/nowhere"}, r"^/nowhere: no such directory"),
    "no shards": ("arrow", parquet, {}, r": holds no \.arrow or \.feather file"),
    "names of two splits": (
        "webdataset",
        lambda root: write_tar(root / "train-and-test.tar", TWELVE),
        {},
        r"train-and-test\.tar: 'train-and-test' says train and test; say in `shards` which it is",
    ),
    "a name of no split": (
        "webdataset",
        lambda root: (splits(root, [0], [1]), tar(root)),
        {},
        r"own\.tar: its name does not say train, val or test, as others do",
    ),
    "nothing to train on": (
        "webdataset",
        lambda root: write_tar(root / "test.tar", TWELVE),
        {},
        r"no file is for training \(test\.tar, for example, is not\)",
    ),
    "a pattern that matches nothing": (
        "webdataset",
        lambda root: splits(root, [0], [1]),
        {"shards": {"train": "train*", "test": "val*"}},
        r"shards\.test: 'val\*' matches no shard; there are test\.tar, train\.tar",
    ),
    "a shard of two patterns": (
        "webdataset",
        lambda root: splits(root, [0], [1]),
        {"shards": {"train": "*", "test": "test*"}},
        r"test\.tar: is matched by shards\.train and shards\.test",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line_before_anything_is_prepared(case: str, tmp_path: Path) -> None:
    kind, write, settings, message = WRONG[case]
    write(tmp_path)
    spec = READERS[kind](**{"kind": kind, "root": str(tmp_path), **settings})
    with pytest.raises(MastError, match=message) as error:
        spec.check(evaluated=False)
    assert "\n" not in str(error.value)


BAD_IMAGES = {
    "parquet": lambda root: parquet(root, image=pa.array([png(0), b"no", *map(png, range(10))], pa.binary())),
    "arrow": lambda root: arrow(root, image=pa.array([png(0), png(1)[:50], *map(png, range(10))], pa.binary())),
    "webdataset": lambda root: tar(root, [*sample(0), ("1.png", b""), *sample(2)]),
}
PLACES = {"parquet": "own.parquet: row 1", "arrow": "own.arrow: row 1", "webdataset": "own.tar: key '1'"}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_an_image_that_does_not_decode_is_named_by_file_and_row_or_key(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    BAD_IMAGES[kind](tmp_path)
    spec = json.dumps({"kind": kind, "root": str(tmp_path)})
    assert main(["prepare", "--dataset", "own", "--spec", spec, "--output", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert f"{PLACES[kind]}: cannot be read as an image (" in message
    assert "repair or remove it, or set unreadable: skip" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
@pytest.mark.parametrize(("kind", "write"), [("parquet", parquet), ("arrow", arrow), ("webdataset", tar)])
def test_a_file_that_may_not_be_read_is_named(kind: str, write: Callable[[Path], Path], tmp_path: Path) -> None:
    write(tmp_path).chmod(0)
    with pytest.raises(MastError, match=r"own\.\w+: cannot be read \(Permission denied\)$"):
        READERS[kind](kind=kind, root=str(tmp_path)).check(evaluated=False)


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_without_pyarrow_it_says_what_to_install(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"own.{kind}").touch()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MastError, match=r"own\.(parquet|arrow): needs pyarrow, .*: pip install pyarrow$"):
        READERS[kind](kind=kind, root=str(tmp_path)).check(evaluated=False)


@pytest.mark.parametrize(("kind", "write"), [("parquet", parquet), ("arrow", arrow), ("webdataset", tar)])
def test_a_task_needs_labels_and_a_test_split(kind: str, write: Callable[[Path], object], tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(MastError, match="needs `targets`"):
        READERS[kind](kind=kind, root=str(tmp_path)).check(evaluated=True)
    target = "cls" if kind == "webdataset" else "label"
    with pytest.raises(MastError, match="needs test images: name their shards in `shards`"):
        READERS[kind](kind=kind, root=str(tmp_path), targets=(target,)).check(evaluated=True)
