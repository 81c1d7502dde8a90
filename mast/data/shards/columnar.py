"""Parquet and Arrow files with a column of images, read by pyarrow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mast.data.blob import Blob
from mast.data.cells import Cells, no_column
from mast.data.image_table import files_of
from mast.data.shards.schema import BYTES, PATH, class_labels, image_type, kind_of, shown
from mast.data.shards.shard import Shard
from mast.errors import MastError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 64
"""Number of images whose bytes are read from a file at once."""

_BUFFER = 1 << 20
"""Number of bytes of a Parquet file that are read at once. By default pyarrow reads a whole row group, often the whole
file.
"""

_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
"""Last bytes of a complete stream (Apache Arrow, Columnar Format, *IPC Streaming Format*)."""


class ColumnarShard(Shard, ABC):
    """A file of columns: one of images, as bytes, paths or `{bytes, path}`, and others of labels."""

    def __init__(self, file: Path, root: Path, image: str | None, columns: Sequence[str]) -> None:
        """Read the columns of labels.

        Args:
            file: the file.
            root: directory where relative paths of images start.
            image: column of the images; None to read the columns only (`mast init`).
            columns: columns of labels and splits.

        Raises:
            MastError: pyarrow is not installed; the file is cut off or damaged; a column is missing or has an
                unsupported type.
        """
        self.file, self._root, self._image = file, root, image
        with self._reading():
            self.schema: pa.Schema = self._schema()
        self.names = [name for name in self.schema.names if name]
        for name in (*([image] if image is not None else []), *columns):
            self._check_there(name)
        if image is not None:
            self.holds = image_type(self.schema.field(image).type)
            if self.holds is None:
                raise MastError(
                    f"{file}: {image!r} is of type {shown(self.schema.field(image).type)}; images have to be bytes, "
                    "paths, or bytes and path together as Hugging Face stores them"
                )
        self.orders = {name: names for name, names in class_labels(self.schema).items() if name in columns}
        with self._reading():
            values = {name: self._values(name) for name in columns}
            count = self._count()
        if count == 0:
            raise MastError(f"{file}: holds no row")
        self.cells = Cells(file, values, range(count), "row")
        self._outside = self._named() if image is not None else {}

    @abstractmethod
    def _schema(self) -> pa.Schema:
        """Names and types of the columns."""

    @abstractmethod
    def _count(self) -> int:
        """Number of rows."""

    @abstractmethod
    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Yield all rows of some columns, in batches."""

    def kind_of(self, name: str) -> str:
        """Return `text`, `number` or `truth`: the content of a column of labels."""
        return kind_of(self.schema.field(name).type) or "nothing"

    def read(self, rows: np.ndarray) -> Iterator[Path | Blob]:
        """Yield the images at rows int64 [M], ascending; an image that is null is empty.

        Raises:
            MastError: the file is damaged.
        """
        if self.holds == PATH:
            yield from (self._outside[row] for row in rows.tolist())
            return
        with self._reading():
            start = 0
            for batch in self._batches([self._image]):
                inside = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + len(batch))]
                for at in range(0, len(inside), ROWS_AT_ONCE):
                    some = inside[at : at + ROWS_AT_ONCE]
                    values = batch.column(0).take(_indices(some - start)).to_pylist()
                    yield from map(self._taken, some.tolist(), values)
                start += len(batch)

    def files(self) -> list[Path]:
        """Return the image files that it names instead of bytes."""
        return list(self._outside.values())

    def _named(self) -> dict[int, Path]:
        """Return row → the image file that it names, for rows without bytes.

        Raises:
            MastError: one is missing, or named twice; a row has neither bytes nor a path.
        """
        if self.holds == BYTES:
            return {}
        with self._reading():
            if self.holds == PATH:
                named = dict(enumerate(self._column(self._image).to_pylist()))
            else:
                named = self._paths_without_bytes()
        cells = Cells(self.file, {self._image: list(named.values())}, list(named), "row")
        return dict(zip(named, files_of(cells, self._image, self._root), strict=True))

    def _paths_without_bytes(self) -> dict[int, str | None]:
        found, start = {}, 0
        for batch in self._batches([self._image]):
            images = batch.column(0)
            fields = {name: images.field(name) for name in images.type.names}
            bare = np.flatnonzero(fields[BYTES].is_null()) if BYTES in fields else np.arange(len(batch))
            paths = fields[PATH].take(_indices(bare)).to_pylist() if PATH in fields else [None] * len(bare)
            found |= dict(zip((start + bare).tolist(), paths, strict=True))
            start += len(batch)
        return found

    def _taken(self, row: int, value: Any) -> Path | Blob:
        if row in self._outside:
            return self._outside[row]
        content = value[BYTES] if isinstance(value, dict) else value
        return Blob(Path(f"{self.file}: row {row}"), content or b"")

    def _column(self, name: str) -> pa.ChunkedArray:
        import pyarrow as pa

        parts = [batch.column(0) for batch in self._batches([name])]
        return pa.chunked_array(parts, type=self.schema.field(name).type)

    def _values(self, name: str) -> list[Any]:
        """Return the values of a column of labels; for Hugging Face's ClassLabel, the names of the classes."""
        kind = self.schema.field(name).type
        if kind_of(kind) is None:
            raise MastError(f"{self.file}: {name!r} is of type {shown(kind)}; it has to be text or a number")
        values = self._column(name).to_pylist()
        names = self.orders.get(name)
        if names is None:
            return [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
        for row, value in enumerate(values):
            if value is not None and not 0 <= value < len(names):
                what = "stands for no label" if value == -1 else f"is no class, of which there are {len(names)}"
                count = f" (so in {values.count(value)} of {len(values)} rows)"
                raise MastError(f"{self.file}: row {row}: {name!r} is {value}, which {what}{count}; see `shards`")
        return [None if value is None else names[value] for value in values]

    def _check_there(self, name: str) -> None:
        if name not in self.names:
            raise no_column(self.file, name, self.names)
        if self.names.count(name) > 1:
            raise MastError(f"{self.file}: has {self.names.count(name)} columns {name!r}; give each a name of its own")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn what pyarrow raises into one line."""
        try:
            import pyarrow as pa
        except ImportError:
            raise MastError(f"{self.file}: needs pyarrow, which is not installed: pip install pyarrow") from None
        try:
            yield
        except PermissionError:
            raise MastError(f"{self.file}: cannot be read (Permission denied)") from None
        except (pa.ArrowException, OSError, EOFError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise MastError(
                f"{self.file}: cannot be read ({reason}); it is cut off, damaged or of another format: fetch it again"
            ) from None


class ParquetShard(ColumnarShard):
    """A Parquet file."""

    def _schema(self) -> pa.Schema:
        import pyarrow.parquet as parquet

        return parquet.read_schema(self.file)

    def _count(self) -> int:
        import pyarrow.parquet as parquet

        return parquet.read_metadata(self.file).num_rows

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        import pyarrow.parquet as parquet

        with parquet.ParquetFile(self.file, buffer_size=_BUFFER, pre_buffer=False) as file:
            yield from file.iter_batches(ROWS_AT_ONCE, columns=columns, use_threads=False)

    def _paths_without_bytes(self) -> dict[int, str | None]:
        """Return the paths of images without bytes. Nothing is read if statistics show that all have bytes."""
        import pyarrow.parquet as parquet

        metadata = parquet.read_metadata(self.file)
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        parts = [group.column(number) for group in groups for number in range(group.num_columns)]
        nulls = [
            part.statistics is None or part.statistics.null_count != 0
            for part in parts
            if part.path_in_schema == f"{self._image}.{BYTES}"
        ]
        return super()._paths_without_bytes() if any(nulls) or not nulls else {}


class ArrowShard(ColumnarShard):
    """An Arrow file: a stream, as `save_to_disk` of Hugging Face's datasets writes it, or with a footer (Feather)."""

    def _schema(self) -> pa.Schema:
        with self._opened() as (_, batches):
            return batches.schema

    def _count(self) -> int:
        return sum(map(len, self._batches([])))

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        with self._opened() as (streamed, batches):
            if streamed:
                for batch in batches:
                    yield batch.select(columns)
                self._check_end()
            else:
                for number in range(batches.num_record_batches):
                    yield batches.get_batch(number).select(columns)

    @contextmanager
    def _opened(self) -> Iterator[tuple[bool, Any]]:
        import pyarrow as pa

        with pa.memory_map(str(self.file)) as source:
            streamed = source.read(6) != b"ARROW1"
            source.seek(0)
            with (pa.ipc.open_stream if streamed else pa.ipc.open_file)(source) as batches:
                yield streamed, batches

    def _check_end(self) -> None:
        """Check for the end marker: a stream cut off between two of its parts looks complete otherwise."""
        with self.file.open("rb") as file:
            file.seek(-len(_END_OF_STREAM), 2)
            if file.read() != _END_OF_STREAM:
                raise EOFError("it has no end")


def _indices(rows: np.ndarray) -> pa.Array:
    import pyarrow as pa

    return pa.array(rows, pa.int64())
