"""`parquet`: Parquet files with a column of images, such as the shards of a dataset on Hugging Face's Hub."""

from typing import ClassVar, Literal

from mast.data.readers._columnar import ColumnarData
from mast.data.shards.columnar import ParquetShard


class ParquetData(ColumnarData):
    """Parquet files with a column of images, as bytes or paths, and columns of labels, such as the shards of a dataset
    on Hugging Face's Hub, whose classes keep their names. Needs pyarrow."""

    SUFFIXES: ClassVar[tuple[str, ...]] = (".parquet", ".pq")
    SHARD: ClassVar[type[ParquetShard]] = ParquetShard

    kind: Literal["parquet"]
