"""Relevant changes of source files since the data were prepared are found, for each kind of place."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mast.data.outside import Listed, Snapshot, Text, Tree, changes, snapshot
from mast.errors import MastError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for file in ("train/a/1.png", "train/a/deep/2.jpg", "train/b/3.PNG", "train/notes.txt", "train/a/.hidden.png"):
        (tmp_path / "photos" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / file).write_bytes(b"12345")
    (tmp_path / "list.txt").write_text("train/a/1.png\n")
    return tmp_path


def places(root: Path) -> list[Tree | Listed | Text]:
    names = ("train/a/1.png", "train/b/3.PNG")
    return [Tree(f"{root}/photos/train"), Listed(f"{root}/photos", names), Text(f"{root}/list.txt")]


def later(file: Path) -> None:
    moment = file.stat().st_mtime_ns + 5_000_000_000
    os.utime(file, ns=(moment, moment))


def rewrite(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    later(file)


def test_a_snapshot_survives_its_file(root: Path) -> None:
    first = snapshot(places(root))
    first.write(root / "sources.npz")
    again = Snapshot.read(root / "sources.npz")
    assert again.names == ["0/a/1.png", "0/a/deep/2.jpg", "0/b/3.PNG", "1/train/a/1.png", "1/train/b/3.PNG", "2/"]
    assert not changes(first, again) and not changes(again, again.again())
    np.testing.assert_array_equal(again.sizes, [5, 5, 5, 5, 5, 14])


@pytest.mark.parametrize(
    ("change", "content", "said"),
    [
        (
            lambda root: shutil.copytree(root / "photos/train/a", root / "photos/train/z"),
            True,
            "2 files added (new fol",
        ),
        (lambda root: (root / "photos/train/a/deep/2.jpg").unlink(), True, "1 file removed ('train/a/deep/2.jpg')"),
        (lambda root: (root / "photos/train/b/3.PNG").unlink(), True, "2 files removed ("),
        (lambda root: rewrite(root / "photos/train/a/deep/2.jpg", b"123456"), True, "1 file changed ('train/a/deep"),
        (lambda root: rewrite(root / "list.txt", b"train/a/2.png\n"), True, "1 file changed ('list.txt')"),
        (lambda root: later(root / "list.txt"), False, "1 file of another time"),
        (lambda root: later(root / "photos/train/a/deep/2.jpg"), False, "1 file of another time"),
        (lambda root: (root / "photos/train/notes.txt").write_text("new"), False, ""),
        (lambda root: (root / "photos/train/.DS_Store").write_text("new"), False, ""),
        (lambda root: (root / "photos/other").mkdir(), False, ""),
        (lambda root: shutil.copytree(root / "photos/train/a", root / "photos/train/b/@eaDir"), False, ""),
        (lambda root: shutil.copytree(root / "photos/train/a", root / "photos/train/__MACOSX"), False, ""),
    ],
)
def test_what_has_changed_is_said(root: Path, change: Callable[[Path], object], content: bool, said: str) -> None:
    first = snapshot(places(root))
    change(root)
    found = changes(first, first.again())
    assert (found.content, bool(found)) == (content, bool(said))
    assert str(found).startswith(said)


def test_a_copy_elsewhere_has_the_same_content(root: Path) -> None:
    first = snapshot(places(root))
    shutil.copytree(root, root / "copy" / "place", ignore=shutil.ignore_patterns("copy"))
    assert not changes(first, snapshot(places(root / "copy" / "place"))).content


def test_what_is_gone_as_a_whole_is_not_known(root: Path) -> None:
    first = snapshot(places(root))
    shutil.rmtree(root / "photos")
    (root / "list.txt").unlink()
    assert first.again() is None


def test_links_may_form_loops_and_damage_is_named(root: Path) -> None:
    (root / "photos/train/a/loop").symlink_to(root / "photos/train")
    assert len(snapshot([Tree(f"{root}/photos/train")]).names) == 3
    (root / "sources.npz").write_bytes(b"no archive")
    with pytest.raises(MastError, match=r"sources\.npz: cannot be read"):
        Snapshot.read(root / "sources.npz")


def test_files_listed_by_absolute_paths_are_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"1")
    place = Listed(str(tmp_path / "elsewhere"), (str(file),))
    before = snapshot([place])
    file.write_bytes(b"22")
    assert changes(before, before.again()).other


def test_a_link_to_itself_hides_no_change(root: Path) -> None:
    before = snapshot(places(root))
    (root / "photos/train/b/self").symlink_to("self")
    assert not changes(before, snapshot(places(root)))
    rewrite(root / "photos/train/b/3.PNG", b"other")
    assert changes(before, snapshot(places(root)))
