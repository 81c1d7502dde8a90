"""`webdataset`: tar files with images and their labels."""

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import model_validator

from mast.data.readers._shards import ShardsData
from mast.data.shards.tar import TarShard
from mast.errors import MastError


class WebDatasetData(ShardsData):
    """Tar files in the layout of WebDataset: `<key>.jpg` with `<key>.cls` or `<key>.json`. A column is an extension,
    such as `cls` or `txt`, or a key of the JSON.
    """

    SUFFIXES: ClassVar[tuple[str, ...]] = (".tar", ".tar.gz", ".tgz")

    kind: Literal["webdataset"]
    image: str | None = None
    """Extension of the images, such as `jpg` or `left.png`, if a key has several; by default its only image."""

    @model_validator(mode="after")
    def _image_is_no_column(self) -> "WebDatasetData":
        if self.image in self._columns:
            raise ValueError("image: a column is named twice; give labels and splits columns of their own")
        return self

    def _open(self, file: Path) -> TarShard:
        return TarShard(file, self.image, self._columns)

    def _check_shards(self, shards: dict[str, list[TarShard]]) -> None:
        """Check that no image is in two splits. Two images of one key count as the same if their bytes are equal."""
        seen: dict[tuple[int | str, int], list[tuple[TarShard, int]]] = {}
        for own in shards.values():
            images = [((key, shard.size(row)), shard, row) for shard in own for row, key in enumerate(shard.keys)]
            for known, shard, row in images:
                for holder, there in seen.get(known, ()):
                    if _content(shard, row) == _content(holder, there):
                        raise MastError(
                            f"{shard.file}: key {known[0]!r} is also in {holder.file}, of another split, with the same "
                            "image; keep one"
                        )
            for known, shard, row in images:
                seen.setdefault(known, []).append((shard, row))


def _content(shard: TarShard, row: int) -> bytes:
    return next(shard.read(np.array([row]))).getvalue()
