"""`webdataset`: tar files of images, each beside its labels."""

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import model_validator

from mast.data.readers._shards import ShardsData
from mast.data.shards.tar import TarShard
from mast.errors import MastError


class WebDatasetData(ShardsData):
    """Tar files in the layout of WebDataset: `<key>.jpg` beside `<key>.cls` or `<key>.json`. A column is an extension,
    such as `cls` or `txt`, or a key of the JSON."""

    SUFFIXES: ClassVar[tuple[str, ...]] = (".tar", ".tar.gz", ".tgz")

    kind: Literal["webdataset"]
    image: str | None = None
    """Extension of the images, such as `jpg` or `left.png`, where a key has several; by default its one image."""

    @model_validator(mode="after")
    def _image_is_no_column(self) -> "WebDatasetData":
        if self.image in self._columns:
            raise ValueError("image: a column is named twice; give labels and splits columns of their own")
        return self

    def _open(self, file: Path) -> TarShard:
        return TarShard(file, self.image, self._columns)

    def _check_shards(self, shards: dict[str, list[TarShard]]) -> None:
        """No image is in two splits; two of one key are taken to be the same if their bytes are."""
        seen: dict[int | str, list[tuple[str, TarShard, int]]] = {}
        for split, own in shards.items():
            for shard in own:
                for row, key in enumerate(shard.keys):
                    for other, holder, there in seen.get(key, ()):
                        if other != split and _same(shard, row, holder, there):
                            raise MastError(
                                f"{shard.file}: key {key!r} is also in {holder.file}, with the same image; keep it in "
                                f"{other} or {split}"
                            )
                    seen.setdefault(key, []).append((split, shard, row))


def _same(one: TarShard, row: int, other: TarShard, there: int) -> bool:
    if one.size(row) != other.size(there):
        return False
    contents = [next(shard.read(np.array([at]))).getvalue() for shard, at in ((one, row), (other, there))]
    return contents[0] == contents[1]
