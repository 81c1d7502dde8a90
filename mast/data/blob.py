"""An image file stored inside another file."""

import io
from pathlib import Path
from types import SimpleNamespace


class Blob(io.BytesIO):
    """Bytes of an image file in memory, with the part of `pathlib.Path` that `mast.data.decode` uses."""

    def __init__(self, path: Path, content: bytes) -> None:
        """Keep the content; `path` is its name in messages and notes: `<shard>: row 3`."""
        super().__init__(content)
        self.path = path

    def __str__(self) -> str:
        """Return its name."""
        return str(self.path)

    def open(self, _: str = "rb") -> io.BytesIO:
        """Open the content, from the beginning."""
        return io.BytesIO(self.getvalue())

    def stat(self) -> SimpleNamespace:
        """Return its size, bytes."""
        return SimpleNamespace(st_size=len(self.getbuffer()))
