"""Files that belong together are replaced together or not at all."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mast.files import write_texts


def failing(number: int) -> Callable[[int], None]:
    """An fsync that finds the disk full when it is called for the time `number`."""
    calls = iter(range(100))
    sync = os.fsync

    def fsync(handle: int) -> None:
        if next(calls) == number:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    return fsync


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_full_disk_leaves_all_files_of_before(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / name for name in ("a.csv", "a.md", "a.tex")]
    write_texts(dict.fromkeys(files, "old"))
    monkeypatch.setattr(os, "fsync", failing(number))
    with pytest.raises(OSError, match="No space left") as error:
        write_texts(dict.fromkeys(files, "new"))
    assert error.value.filename == str(files[number])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {file.name: "old" for file in files}
