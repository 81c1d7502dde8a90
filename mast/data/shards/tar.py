"""Tar files in the layout of WebDataset: `<key>.jpg` with `<key>.cls` or `<key>.json`, one sample after another."""

import gzip
import json
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np

from mast.data.blob import Blob
from mast.data.cells import Cells, no_column
from mast.data.decode import SUFFIXES
from mast.data.search import SYSTEM
from mast.data.shards.shard import Shard
from mast.errors import MastError

JSON = "json"
"""Extension of the member whose keys are columns."""

_BLOCK = 512
"""Size of a block of a tar file, bytes."""


@dataclass
class Sample:
    """The members of one key."""

    file: Path
    """The tar file."""
    key: str
    members: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Extension in lower case → start of its content, and its size, bytes."""
    contents: dict[str, bytes] = field(default_factory=dict)
    """Extension → content, for labels."""

    def __str__(self) -> str:
        """Return file and key, for messages."""
        return f"{self.file}: key {self.key!r}"

    def images(self) -> list[str]:
        """Return the extensions of its images."""
        return [extension for extension in self.members if f".{extension.rpartition('.')[2]}" in SUFFIXES]

    def image(self, chosen: str | None) -> str:
        """Return the extension of its image: the chosen one, or the only one.

        Raises:
            MastError: it has no such image, or several.
        """
        has, images = ", ".join(self.members), self.images()
        if chosen is not None and chosen not in self.members:
            raise MastError(f"{self} has no {chosen!r} (it has {has}); see `image`")
        if chosen is None and len(images) > 1:
            raise MastError(f"{self} has several images ({', '.join(images)}); choose one in `image`")
        if chosen is None and not images:
            raise MastError(f"{self} has no image (it has {has})")
        return images[0] if chosen is None else chosen

    def text(self, extension: str) -> str | None:
        """Return the content of a member that is text; None if there is no such member.

        Raises:
            MastError: it is not UTF-8.
        """
        if extension not in self.contents:
            return None
        try:
            return self.contents[extension].decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            raise MastError(f"{self}: {extension!r} is not text in UTF-8") from None

    def values(self) -> dict[str, Any]:
        """Return the object in its JSON; empty if there is none.

        Raises:
            MastError: it is not a JSON object.
        """
        if JSON not in self.contents:
            return {}
        try:
            values = json.loads(self.contents[JSON])
        except (ValueError, RecursionError) as error:
            raise MastError(f"{self}: json cannot be read ({error})") from None
        if not isinstance(values, dict):
            raise MastError(f'{self}: json is not a JSON object, such as {{"label": …}}')
        return values

    def columns(self) -> list[str]:
        """Return the extensions of its members that are not images, and the keys of its JSON."""
        images = self.images()
        return [*(name for name in self.members if name not in (*images, JSON)), *self.values()]


class TarShard(Shard):
    """A tar file. A column is an extension (`cls`, `txt`), whose member is its text, or a key of `<key>.json`."""

    def __init__(self, file: Path, image: str | None, columns: Sequence[str]) -> None:
        """Read the file's list of members, and the content of those with labels.

        Args:
            file: `.tar`, `.tar.gz` or `.tgz`.
            image: extension of the images; None for the only image of each sample.
            columns: columns of labels and splits.

        Raises:
            MastError: the file is cut off or damaged; a sample has no image, or several; a key occurs twice; there is
                no such column.
        """
        self.file, self.orders = file, {}
        samples = list(samples_of(file, {*columns, JSON} if columns else set()))
        self._places = [sample.members[sample.image(image)] for sample in samples]
        self.cells = Cells(file, _columns(file, samples, columns), [sample.key for sample in samples], "key")

    @property
    def keys(self) -> Sequence[int | str]:
        """Return the keys of the samples: their names up to the first dot."""
        return self.cells.lines

    def size(self, row: int) -> int:
        """Return the size of an image, bytes."""
        return self._places[row][1]

    def read(self, rows: np.ndarray) -> Iterator[Blob]:
        """Yield the images at rows int64 [M], ascending.

        Raises:
            MastError: the file is cut off or damaged.
        """
        with _opened(self.file) as raw:
            for row in rows:
                start, size = self._places[row]
                raw.seek(start)
                content = raw.read(size)
                if len(content) < size:
                    raise EOFError("unexpected end of data")
                yield Blob(Path(f"{self.file}: key {self.keys[row]!r}"), content)


def samples_of(file: Path, extensions: set[str]) -> Iterator[Sample]:
    """Return the samples of a tar file: consecutive members with the same name up to its first dot, as webdataset
    groups them.

    Args:
        file: the tar file.
        extensions: extensions of the members whose content is read.

    Raises:
        MastError: the file is cut off or damaged, or has no sample; a key, or an extension of a key, occurs twice.
    """
    sample, before = None, set()
    for key, extension, place, content in _members(file, extensions):
        if sample is None or key != sample.key:
            if sample is not None:
                yield sample
            sample = Sample(file, key)
            if key in before:
                raise MastError(f"{sample} comes twice; the members of a sample have to stand one after another")
            before.add(key)
        if extension in sample.members:
            raise MastError(f"{sample} has {extension!r} twice; keep one")
        sample.members[extension] = place
        if content is not None:
            sample.contents[extension] = content
    if sample is None:
        raise MastError(f"{file}: holds no sample, such as 0001.jpg with 0001.cls")
    yield sample


def _columns(file: Path, samples: list[Sample], columns: Sequence[str]) -> dict[str, list[Any]]:
    if not columns:
        return {}
    values = [sample.values() for sample in samples]
    found = {}
    for name in columns:
        if any(name in sample.members for sample in samples):
            found[name] = [sample.text(name) for sample in samples]
        elif any(name in own for own in values):
            found[name] = [own.get(name) for own in values]
        else:
            raise no_column(file, name, samples[0].columns())
    return found


def _members(file: Path, extensions: set[str]) -> Iterator[tuple[str, str, tuple[int, int], bytes | None]]:
    """Yield key, extension and position of each file in a tar file, with the content for the given extensions."""
    with _opened(file) as raw:
        end = 0
        with tarfile.open(fileobj=raw, mode="r:") as archive:
            for member in archive:
                stored = member.size if member.isreg() else 0
                end = member.offset_data + -(-stored // _BLOCK) * _BLOCK
                key, extension = _split(member.name)
                if member.isreg() and extension:
                    content = archive.extractfile(member).read() if extension in extensions else None
                    yield key, extension, (member.offset_data, member.size), content
        raw.seek(end)
        block = raw.read(_BLOCK)  # tarfile treats a damaged or missing header as the end
        if len(block) < _BLOCK:
            raise EOFError("it has no end")
        if any(block):
            raise tarfile.ReadError(f"no header at byte {end:,}")


def _split(name: str) -> tuple[str, str]:
    """Return key and extension, in lower case, of a member; no extension if it is not part of a sample."""
    path = PurePosixPath(name)
    stem, _, extension = path.name.partition(".")
    left_behind = any(part.lower() in SYSTEM or part.startswith("._") for part in path.parts)
    if not stem or left_behind:
        return name, ""
    return str(path.with_name(stem)), extension.lower()


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    packed = file.name.lower().endswith("gz")
    try:
        with gzip.open(file) if packed else file.open("rb") as raw:
            yield raw
    except PermissionError:
        raise MastError(f"{file}: cannot be read (Permission denied)") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        reason = " ".join(str(error).split())
        raise MastError(
            f"{file}: cannot be read ({reason}); it is cut off, damaged or no tar file: fetch it again"
        ) from None
