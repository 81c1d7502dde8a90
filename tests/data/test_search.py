"""One search finds the images of a directory and lists what it leaves out, also with files left by systems."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from mast.data.decode import PASSED_OVER, SUFFIXES
from mast.data.search import SYSTEM, look_into, search
from mast.errors import MastError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def relative(root: Path, paths: list[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def test_every_suffix_that_pillow_opens_is_read_or_passed_over_for_a_reason() -> None:
    Image.init()
    opened = {suffix for suffix, name in Image.registered_extensions().items() if name in Image.OPEN}
    assert opened <= SUFFIXES | PASSED_OVER
    assert not SUFFIXES & PASSED_OVER
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES | PASSED_OVER)


def test_what_systems_leave_is_neither_read_nor_counted(tmp_path: Path) -> None:
    junk = [".DS_Store", "Thumbs.db", "ehthumbs.db", "desktop.ini", "._a.png", "__MACOSX/._a.png", "@eaDir/a.png"]
    touch(tmp_path, "a.png", "sub/b.JPG", *junk, *(f"sub/{name}" for name in junk), "sub/._b.JPG", ".git/x.png")
    found = search(tmp_path)
    assert relative(tmp_path, found.images) == ["a.png", "sub/b.JPG"] and found.left_out == []
    assert all(name == name.lower() for name in SYSTEM)


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "notes.txt", ".hidden.png", ".thumbs/a.png", "sub/b.psd", "sub/no suffix", "cloud.pcd")
    os.mkfifo(tmp_path / "pipe.png")
    found = search(tmp_path)
    assert relative(tmp_path, found.images) == ["a.png"]
    named = [".hidden.png", ".thumbs", "cloud.pcd", "notes.txt", "pipe.png", "sub/b.psd", "sub/no suffix"]
    assert relative(tmp_path, found.left_out) == named


def test_linked_folders_are_followed_and_circles_are_not(tmp_path: Path) -> None:
    root = tmp_path / "root"
    touch(tmp_path, "elsewhere/linked.png", "root/a/one.png", "root/z.png")
    (root / "more").symlink_to(tmp_path / "elsewhere")
    (root / "again").symlink_to(root / "a")  # comes before `more` and after `a`
    (root / "0").symlink_to(root / "a")  # comes before `a`
    (root / "a/up").symlink_to(root)
    (root / "a/self").symlink_to(root / "a")
    (root / "circle").symlink_to("circle")
    (root / "gone.png").symlink_to(tmp_path / "nothing.png")
    (root / "round.png").symlink_to("round.png")
    found = search(root)
    assert relative(root, found.images) == ["a/one.png", "gone.png", "more/linked.png", "round.png", "z.png"]
    assert relative(root, found.left_out) == ["0", "a/self", "a/up", "again", "circle"]


def test_folders_behind_links_are_searched_once(tmp_path: Path) -> None:
    touch(tmp_path, "outside/deep/x.png", "root/y.png")
    (tmp_path / "root/first").symlink_to(tmp_path / "outside/deep")
    (tmp_path / "root/second").symlink_to(tmp_path / "outside")
    assert relative(tmp_path / "root", search(tmp_path / "root").images) == ["first/x.png", "y.png"]


def test_one_directory_alone(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a.ppm", "sub/c.png", "readme.md")
    found = look_into(tmp_path)
    assert [relative(tmp_path, paths) for paths in (found.images, found.folders, found.left_out)] == [
        ["a.ppm", "b.png"],
        ["sub"],
        ["readme.md"],
    ]


@pytest.mark.parametrize(("name", "message"), [("no", "no: no such directory; say which"), ("f", "f: is a file; say")])
def test_what_is_no_directory(tmp_path: Path, name: str, message: str) -> None:
    touch(tmp_path, "f")
    with pytest.raises(MastError, match=message):
        search(tmp_path / name, "say which")


@pytest.mark.parametrize("call", ["iterdir", "stat"])
def test_what_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    touch(tmp_path, "sub/a.png")
    original = getattr(type(tmp_path), call)

    def refuse(path: Path, *arguments: object, **options: object) -> Iterator[Path] | os.stat_result:
        if path.name == ("sub" if call == "iterdir" else "a.png"):
            raise PermissionError(13, "Permission denied", str(path))
        return original(path, *arguments, **options)

    monkeypatch.setattr(type(tmp_path), call, refuse)
    with pytest.raises(MastError, match=r"sub.*: cannot be read \(Permission denied\)$") as error:
        search(tmp_path)
    assert "\n" not in str(error.value)


def test_a_directory_that_is_there_under_a_name_that_looks_alike(tmp_path: Path) -> None:
    (tmp_path / "photos ").mkdir()
    with pytest.raises(MastError, match=r"no such directory; there is another, 'photos' and 'photos ': they differ"):
        search(tmp_path / "photos")
