"""Information from the schema of a Parquet or Arrow file: how images are stored, and the names of classes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

BYTES, PATH = "bytes", "path"
"""Fields of an image as Hugging Face stores it (huggingface/datasets, src/datasets/features/image.py)."""


def image_type(kind: pa.DataType) -> str | None:
    """Return `bytes`, `path` or `both`: how a column of this type stores images; None if it cannot."""
    import pyarrow.types as types

    if types.is_struct(kind):
        fields = {kind.field(number).name: kind.field(number).type for number in range(kind.num_fields)}
        binary = BYTES in fields and image_type(fields[BYTES]) == BYTES
        path = PATH in fields and image_type(fields[PATH]) == PATH
        return "both" if binary or path else None
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind):
        return BYTES
    return PATH if _is_text(kind) else None


def class_labels(schema: pa.Schema) -> dict[str, list[str]]:
    """Return column → names of its classes, from Hugging Face's features in the metadata of a file (`ClassLabel`)."""
    features = features_of(schema)
    found = {name: feature.get("names") for name, feature in features.items() if feature.get("_type") == "ClassLabel"}
    return {name: list(map(str, names)) for name, names in found.items() if isinstance(names, list)}


def features_of(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """Return column → its feature, as Hugging Face's datasets describe it; empty if the file has none."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    known = features.items() if isinstance(features, dict) else ()
    return {name: feature for name, feature in known if isinstance(feature, dict)}


def kind_of(kind: pa.DataType) -> str | None:
    """Return `text`, `number` or `truth`: the content of a label column of this type; None for other types."""
    import pyarrow.types as types

    if types.is_dictionary(kind):
        return kind_of(kind.value_type)
    if types.is_boolean(kind):
        return "truth"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_null(kind):
        return "number"
    return "text" if _is_text(kind) else None


def shown(kind: pa.DataType) -> str:
    """Return a type in one line, shortened."""
    text = " ".join(str(kind).split())
    return text if len(text) <= 80 else f"{text[:80]}…"


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow.types as types

    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
