"""An image file that lies inside another file."""

import io
from pathlib import Path
from types import SimpleNamespace


class Blob(io.BytesIO):
    """The bytes of an image file in memory, with the part of `pathlib.Path` that `mast.data.decode` uses."""

    def __init__(self, path: Path, content: bytes) -> None:
        """`path` names it in messages and notes: `<shard>: row 3`."""
        super().__init__(content)
        self.path = path

    def __str__(self) -> str:
        """Its name."""
        return str(self.path)

    def open(self, _: str = "rb") -> io.BytesIO:
        """Its content once more, from the beginning."""
        return io.BytesIO(self.getvalue())

    def stat(self) -> SimpleNamespace:
        """Its size, bytes."""
        return SimpleNamespace(st_size=len(self.getbuffer()))
