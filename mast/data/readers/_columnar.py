"""Code shared by `parquet` and `arrow`."""

import os
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from mast.data.readers._shards import ShardsData
from mast.data.shards.columnar import ColumnarShard
from mast.errors import MastError


class ColumnarData(ShardsData):
    """A kind of data whose shards have columns."""

    SHARD: ClassVar[type[ColumnarShard]]
    """Class that reads a shard."""

    image: Annotated[str, Field(min_length=1)] = "image"
    """Column of the images: bytes of image files, paths (absolute, or relative to `root`), or both as Hugging Face
    stores them."""

    def _open(self, file: Path) -> ColumnarShard:
        return self.SHARD(file, self._folder, self.image, self._columns)

    def _check_shards(self, shards: dict[str, list[ColumnarShard]]) -> None:
        opened = [shard for own in shards.values() for shard in own]
        first, holder = opened[0], {}
        for shard in opened:
            for name in self._columns:
                kinds = shard.kind_of(name), first.kind_of(name)
                if kinds[0] != kinds[1]:
                    what = f"{name!r} holds {kinds[0]}, but {kinds[1]} in {first.file.name}"
                    raise MastError(f"{shard.file}: {what}; write it with one type")
            for file in map(os.path.normpath, shard.files()):
                if holder.setdefault(file, shard) is not shard:
                    raise MastError(f"{file}: is listed in {holder[file].file} and in {shard.file}; list it once")

    @property
    def _folder(self) -> Path:
        return Path(self.root).parent if Path(self.root).is_file() else Path(self.root)
