"""Lists in text files are read by whole lines, whatever their line ends and byte order mark."""

from pathlib import Path

import pytest

from mast.data.text import read_lines
from mast.errors import MastError


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"\xef\xbb\xbfa\r\nb\r\n\r\n", ["a", "b"]),
        (b"photo 1 \n\tphoto  2", ["photo 1", "photo  2"]),
        ("größe\u2028 1\nnext\x0cone\n".encode(), ["größe\u2028 1", "next\x0cone"]),
    ],
)
def test_lines_are_whole(tmp_path: Path, content: bytes, lines: list[str]) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    assert read_lines(tmp_path / "list.txt", "hint") == lines


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"list\.txt: no such file; hint"),
        (b"", r"list\.txt: lists no image"),
        (b"\xef\xbb\xbf\r\n", r"list\.txt: lists no image"),
        ("a\nb\n".encode("utf-16"), r"list\.txt: is not text in UTF-8; save it in that encoding"),
        ("größe".encode("latin-1"), r"list\.txt: is not text in UTF-8"),
    ],
)
def test_what_is_no_list_is_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(MastError, match=message) as error:
        read_lines(tmp_path / "list.txt", "hint")
    assert "\n" not in str(error.value) and "codec" not in str(error.value)
