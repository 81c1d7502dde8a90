"""Twelve grey images in Parquet, Arrow and tar files, written by pyarrow and tarfile as the usual libraries do."""

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
from PIL import Image

NAMES = ["zebra", "ant", "cow"]
"""Classes in the order of their numbers, which is not that of the alphabet."""


def png(number: int) -> bytes:
    """A picture of 20 × 16 pixels of grey 20 · number."""
    buffer = io.BytesIO()
    Image.new("RGB", (20, 16), (20 * number,) * 3).save(buffer, "PNG")
    return buffer.getvalue()


def table(numbers: Iterable[int], **columns: Any) -> pa.Table:
    """Return a table as Hugging Face's datasets stores it: `{bytes, path}`, a ClassLabel, a number, features in the
    metadata.
    """
    numbers = list(numbers)
    image = pa.StructArray.from_arrays(
        [pa.array(map(png, numbers), pa.binary()), pa.array([None] * len(numbers), pa.string())], ["bytes", "path"]
    )
    features = {
        "image": {"_type": "Image"},
        "label": {"names": NAMES, "_type": "ClassLabel"},
        "grade": {"dtype": "int64", "_type": "Value"},
    }
    values = {
        "image": image,
        "label": [number % 3 for number in numbers],
        "grade": [number % 2 * 9 + 1 for number in numbers],
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.table(values | columns).replace_schema_metadata(metadata)


def write_parquet(file: Path, content: pa.Table) -> Path:
    """Write a Parquet file of small groups of rows."""
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(content, file, row_group_size=2)
    return file


def write_stream(file: Path, content: pa.Table) -> Path:
    """Write an Arrow stream of small batches, as `save_to_disk` does."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, content.schema) as writer:
        writer.write_table(content, max_chunksize=2)
    return file


def write_saved(folder: Path, split: str, parts: Iterable[pa.Table]) -> None:
    """A split of `DatasetDict.save_to_disk`."""
    parts = list(parts)
    names = [f"data-{number:05d}-of-{len(parts):05d}.arrow" for number in range(len(parts))]
    for name, part in zip(names, parts, strict=True):
        write_stream(folder / split / name, part)
    state = {"_data_files": [{"filename": name} for name in names], "_split": split}
    (folder / split / "state.json").write_text(json.dumps(state))
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": [split]}))


def write_tar(file: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    """Write a tar file; packed if it is named so."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w:gz" if file.name.endswith("gz") else "w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file


def sample(number: int, **others: Any) -> list[tuple[str, bytes]]:
    """The members of one key: an image, a class and a JSON."""
    values = {"sex": "fm"[number % 2], "count": number} | others
    return [
        (f"a/{number:04d}.png", png(number)),
        (f"a/{number:04d}.cls", str(number % 3).encode()),
        (f"a/{number:04d}.json", json.dumps(values).encode()),
    ]
