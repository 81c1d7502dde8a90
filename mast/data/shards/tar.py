"""Tar files in the layout of WebDataset: `<key>.jpg` beside `<key>.cls` or `<key>.json`, one sample after another."""

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
"""Tar files consist of blocks of so many bytes."""


@dataclass
class Sample:
    """The members of one key."""

    key: str
    members: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Extension in lower case → where its content begins, and its size, bytes."""
    texts: dict[str, bytes] = field(default_factory=dict)
    """Extension → content, of labels."""

    def images(self) -> list[str]:
        """Extensions of its images."""
        return [extension for extension in self.members if f".{extension.rpartition('.')[2]}" in SUFFIXES]


class TarShard(Shard):
    """A tar file. A column is an extension (`cls`, `txt`), whose member is its text, or else a key of `<key>.json`."""

    def __init__(self, file: Path, image: str | None, columns: Sequence[str]) -> None:
        """Look through the file; of its members only those of labels are read.

        Args:
            file: `.tar`, `.tar.gz` or `.tgz`.
            image: extension of the images; None for the one that each sample has.
            columns: those of labels and splits.

        Raises:
            MastError: the file is cut off or damaged; a sample has no image, or several; a key comes twice; there is no
                such column.
        """
        self.file, self.orders = file, {}
        samples = list(self._samples({*columns, JSON} if columns else set()))
        if not samples:
            raise MastError(f"{file}: holds no sample, such as 0001.jpg with 0001.cls")
        keys = [sample.key for sample in samples]
        self._places = [sample.members[self._image(sample, image)] for sample in samples]
        self.cells = Cells(file, self._columns(samples, columns), keys, "key")

    @property
    def keys(self) -> Sequence[int | str]:
        """Keys of the samples: their names up to the first dot."""
        return self.cells.lines

    def size(self, row: int) -> int:
        """Of an image, bytes."""
        return self._places[row][1]

    def read(self, rows: np.ndarray) -> Iterator[Blob]:
        """The images at rows int64 [M], ascending.

        Raises:
            MastError: the file is cut off or damaged.
        """
        with self._opened() as raw:
            for row in rows:
                start, size = self._places[row]
                raw.seek(start)
                content = raw.read(size)
                if len(content) < size:
                    raise EOFError("unexpected end of data")
                yield Blob(Path(f"{self.file}: key {self.keys[row]!r}"), content)

    def _samples(self, texts: set[str]) -> Iterator[Sample]:
        """Consecutive members with the same name up to its first dot are a sample, as webdataset groups them."""
        sample, before = None, set()
        for key, extension, member, content in self._members(texts):
            if sample is None or key != sample.key:
                if sample is not None:
                    yield sample
                if key in before:
                    raise MastError(
                        f"{self.file}: key {key!r} comes twice; the members of a sample have to stand one after another"
                    )
                before.add(key)
                sample = Sample(key)
            if extension in sample.members:
                raise MastError(f"{self.file}: key {key!r} has {extension!r} twice; keep one")
            sample.members[extension] = member.offset_data, member.size
            if content is not None:
                sample.texts[extension] = content
        if sample is not None:
            yield sample

    def _members(self, texts: set[str]) -> Iterator[tuple[str, str, tarfile.TarInfo, bytes | None]]:
        """Key, extension and place of each file; its content where the extension is one of `texts`."""
        with self._opened() as raw:
            end = 0
            with tarfile.open(fileobj=raw, mode="r:") as archive:
                for member in archive:
                    stored = member.size if member.isreg() else 0
                    end = member.offset_data + -(-stored // _BLOCK) * _BLOCK
                    key, extension = _split(member.name)
                    if member.isreg() and extension:
                        content = archive.extractfile(member).read() if extension in texts else None
                        yield key, extension, member, content
            raw.seek(end)
            block = raw.read(_BLOCK)  # tarfile takes a damaged header, or none, for the end
            if len(block) < _BLOCK:
                raise EOFError("it has no end")
            if any(block):
                raise tarfile.ReadError(f"no header at byte {end:,}")

    def _columns(self, samples: list[Sample], columns: Sequence[str]) -> dict[str, list[Any]]:
        if not columns:
            return {}
        parsed = [self._parsed(sample) for sample in samples]
        found = {}
        for name in columns:
            if any(name in sample.members for sample in samples):
                found[name] = [self._text(sample, name) for sample in samples]
            elif any(name in values for values in parsed):
                found[name] = [values.get(name) for values in parsed]
            else:
                images = samples[0].images()
                others = [extension for extension in samples[0].members if extension not in (*images, JSON)]
                raise no_column(self.file, name, [*others, *parsed[0]])
        return found

    def _text(self, sample: Sample, name: str) -> str | None:
        if name not in sample.texts:
            return None
        try:
            return sample.texts[name].decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            raise MastError(f"{self.file}: key {sample.key!r}: {name!r} is not text in UTF-8") from None

    def _parsed(self, sample: Sample) -> dict[str, Any]:
        if JSON not in sample.texts:
            return {}
        try:
            values = json.loads(sample.texts[JSON])
        except (ValueError, RecursionError) as error:
            raise MastError(f"{self.file}: key {sample.key!r}: json cannot be read ({error})") from None
        if not isinstance(values, dict):
            raise MastError(f'{self.file}: key {sample.key!r}: json is not a JSON object, such as {{"label": …}}')
        return values

    def _image(self, sample: Sample, image: str | None) -> str:
        images = sample.images()
        if image is not None:
            if image not in sample.members:
                has = ", ".join(sample.members)
                raise MastError(f"{self.file}: key {sample.key!r} has no {image!r} (it has {has}); see `image`")
            return image
        if len(images) != 1:
            what = f"has several images ({', '.join(images)}); choose one in `image`" if images else "has no image"
            has = "" if images else f" (it has {', '.join(sample.members)})"
            raise MastError(f"{self.file}: key {sample.key!r} {what}{has}")
        return images[0]

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        packed = self.file.name.lower().endswith("gz")
        try:
            with gzip.open(self.file) if packed else self.file.open("rb") as raw:
                yield raw
        except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
            reason = " ".join(str(error).split())
            raise MastError(
                f"{self.file}: cannot be read ({reason}); it is cut off, damaged or no tar file: fetch it again"
            ) from None


def _split(name: str) -> tuple[str, str]:
    """Key and extension, in lower case, of a member; no extension where it is none of a sample."""
    path = PurePosixPath(name)
    stem, _, extension = path.name.partition(".")
    left_behind = any(part.lower() in SYSTEM or part.startswith("._") for part in path.parts)
    if not stem or left_behind:
        return name, ""
    return str(path.with_name(stem)), extension.lower()
