"""Files that belong together are replaced together or not at all; times in the future are set to the present."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mast.files import settle_times, write_texts


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


def test_times_of_the_future_keep_their_order_and_what_vanishes_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns()
    for name, moment in (("old", 5), ("first", now + 10**13), ("second", now + 2 * 10**13), (".a.tmp", now + 10**13)):
        (tmp_path / "deep").mkdir(exist_ok=True)
        (tmp_path / "deep" / name).touch()
        os.utime(tmp_path / "deep" / name, ns=(moment, moment))
    stat = Path.stat

    def vanishing(path: Path, **options: bool) -> os.stat_result:
        found = stat(path, **options)
        if path.name == ".a.tmp":
            path.unlink()
        return found

    monkeypatch.setattr(Path, "stat", vanishing)
    settle_times(tmp_path)
    old, first, second = (stat(tmp_path / "deep" / name).st_mtime_ns for name in ("old", "first", "second"))
    assert old == 5 and now <= first < second < now + 10**12
    settle_times(tmp_path / "none")
