"""Fetch and unpack archives. A file with its final name is complete, and nothing is written outside the root."""

import fcntl
import gzip
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from urllib.request import Request, urlopen

from torchvision.datasets.utils import check_integrity

from mast.data.sources.source import Archive, Source
from mast.errors import MastError
from mast.progress import Progress

_LOCK = ".mast-lock"
"""Lock file of the process that is fetching into a root. Datasets may share a root, or even an archive."""

_STAGING = ".mast-partial"
"""Folder of files that are not complete yet. The next process removes what a killed one left in it."""

_CHUNK = 1 << 20
"""Number of bytes read at a time."""

_SILENCE = 60
"""Seconds without a byte after which a download counts as cut off."""


def fetch(source: Source, root: Path) -> None:
    """Download and unpack what is missing in `root`; existing files are left alone.

    Archives that are already in `root` are used and not fetched, unless their checksum shows that they are damaged.

    Raises:
        MastError: a download fails or has a wrong checksum; an archive is damaged or would write outside `root`.
    """
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root):
        for archive in source.archives:
            if not (root / archive.makes).exists():
                _fetch(archive, root)


def _fetch(archive: Archive, root: Path) -> None:
    made, name = root / archive.makes, archive.url.rsplit("/", 1)[-1]
    made.parent.mkdir(parents=True, exist_ok=True)
    if name == made.name:
        _download(archive, made)
        return
    if not _is_whole(archive, root / name):
        _download(archive, root / name)
    unpack(root / name, made.parent, archive.inner)


def unpack(archive: Path, target: Path, inner: str | None = None) -> None:
    """Unpack a tar or zip archive into the directory `target`, completely or not at all.

    Args:
        archive: the file.
        target: directory for its top-level files and folders.
        inner: an archive inside it, which is unpacked instead.

    Raises:
        MastError: the archive is damaged or cut off; a member or link would be outside `target`; a folder of
            that name exists.
    """
    target.mkdir(parents=True, exist_ok=True)
    with _staging(target) as staging:
        _extract(archive, staging)
        if inner is not None:
            archive, staging = staging / inner, staging / ".inner"
            staging.mkdir()
            _extract(archive, staging)
        for entry in sorted(staging.iterdir()):
            if (target / entry.name).is_dir():
                raise MastError(f"{target / entry.name}: is in the way of unpacking {archive.name}; move it away")
        for entry in sorted(staging.iterdir()):
            entry.replace(target / entry.name)


def _extract(archive: Path, folder: Path) -> None:
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as members:
                for name in members.namelist():
                    _check_name(archive, name)
                members.extractall(folder)
        else:
            with tarfile.open(archive) as members:
                members.extractall(folder, filter="data")
                while members.fileobj.read(_CHUNK):  # gzip checks its checksum at the end
                    pass
    except tarfile.FilterError as error:
        raise MastError(f"{archive}: unsafe, not unpacked ({error}); get it from its official source") from None
    except (tarfile.TarError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise MastError(f"{archive}: damaged or cut off ({error}); delete it and run again") from None


def _check_name(archive: Path, name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name:
        raise MastError(f"{archive}: unsafe, not unpacked ({name!r} lies outside); get it from its official source")


def _is_whole(archive: Archive, file: Path) -> bool:
    """Return whether the file exists and, if its checksum is known, is complete."""
    return file.exists() and (archive.md5 is None or check_integrity(str(file), archive.md5))


def _download(archive: Archive, file: Path) -> None:
    with _staging(file.parent) as staging:
        fetched = staging / file.name
        with fetched.open("wb") as local:
            for chunk in _chunks(archive.url, file):
                local.write(chunk)
        if not _is_whole(archive, fetched):
            raise MastError(
                f"{archive.url}: the download does not have the MD5 {archive.md5}; run again, or put it at {file}"
            )
        fetched.replace(file)


def _chunks(url: str, file: Path) -> Iterator[bytes]:
    """Yield the content of an address; raise MastError if it sends less than announced. The message names `file`."""
    try:
        with urlopen(Request(url, headers={"User-Agent": "mast"}), timeout=_SILENCE) as response:
            length = response.length or 0
            with Progress(url, length, "bytes") as progress:
                while chunk := response.read(_CHUNK):
                    progress.update(len(chunk))
                    yield chunk
            if progress.done < length:
                raise EOFError(f"cut off after {progress.done:,} of {length:,} bytes")
    except (OSError, HTTPException, EOFError) as error:
        raise MastError(f"{url}: cannot be fetched ({error}); run again, or put it at {file}") from None


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    with (root / _LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    staging = folder / _STAGING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
