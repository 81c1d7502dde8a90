"""Find out what Parquet, Arrow or tar files contain: the column of images, and the columns of labels."""

import os
from collections import Counter
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path
from typing import Any

from mast.data.readers import READERS, Reader
from mast.data.search import search
from mast.data.shards.columnar import ColumnarShard
from mast.data.shards.find import by_name, find_shards
from mast.data.shards.schema import class_labels, features_of, image_type, kind_of
from mast.data.shards.tar import JSON, samples_of
from mast.errors import MastError
from mast.starter.labels import evaluable, label_columns, split_column

KINDS = ("parquet", "arrow", "webdataset")

IMAGE_COLUMNS = ("image", "img", "picture", "photo", "jpg", "png", "path", "file_name", "image_path")
"""Usual names of image columns, used if their type does not tell."""

CLASS_COLUMN = "cls"
"""Extension of labels in WebDataset's tar files."""


def kind_of_shards(place: Path) -> str | None:
    """Return the kind of a shard file, or of most files in a directory without images; None if there are none.

    Raises:
        MastError: a directory cannot be read.
    """
    found = [place] if place.is_file() else []
    if place.is_dir():
        inside = search(place)
        found = [] if inside.images else inside.left_out
    kinds = Counter(kind for file in found for kind in KINDS if file.name.lower().endswith(READERS[kind].SUFFIXES))
    return kinds.most_common(1)[0][0] if kinds else None


def settings_of_shards(place: Path, kind: str, notes: list[str]) -> tuple[dict[str, Any], Reader]:
    """Return settings of a dataset in shards, with the labels that can be evaluated on, and its reader.

    Raises:
        MastError: a shard cannot be read, or has no images.
    """
    settings: dict[str, Any] = {"kind": kind, "root": str(place)}
    chosen = _of_tar if kind == "webdataset" else _of_columns
    own, targets = chosen(settings, place, notes)
    settings |= own
    others = [] if "split" in settings else _without_test(place, READERS[kind](**settings).found(), notes)
    return evaluable(settings, targets, notes, others)


def _of_columns(settings: dict[str, Any], place: Path, notes: list[str]) -> tuple[dict[str, Any], list[str]]:
    reader = READERS[settings["kind"]]
    file = reader(**settings).found()[0]
    shard: ColumnarShard = reader.SHARD(file, place, None, ())
    images = [name for name in shard.names if features_of(shard.schema).get(name, {}).get("_type") == "Image"]
    held = {name: image_type(shard.schema.field(name).type) for name in shard.names}
    images += [name for name in shard.names if held[name] in ("both", "bytes")]
    images += [name for name in IMAGE_COLUMNS if held.get(name) is not None]
    if not images:
        raise MastError(f"{file}: has no column of images; it has {', '.join(shard.names)}")
    image = images[0]
    others = [name for name in shard.names if name != image]
    known = [name for name in class_labels(shard.schema) if name in others]
    plain = [name for name in others if name not in known and kind_of(shard.schema.field(name).type) is not None]
    values = reader.SHARD(file, place, None, plain).cells.columns
    return _chosen({} if image == "image" else {"image": image}, known, others, values, notes)


def _of_tar(settings: dict[str, Any], place: Path, notes: list[str]) -> tuple[dict[str, Any], list[str]]:
    file = find_shards(place, READERS["webdataset"].SUFFIXES)[0]
    samples = list(samples_of(file, {JSON, CLASS_COLUMN}))
    images = samples[0].images()
    image = {"image": images[0]} if len(images) > 1 else {}
    if image:
        notes.append(f"Each key has several images ({', '.join(images)}); the first is used.")
    objects = [sample.values() for sample in samples]
    values = {name: [own.get(name) for own in objects] for name in objects[0]}
    known = [CLASS_COLUMN] if CLASS_COLUMN in samples[0].members else []
    return _chosen(image, known, samples[0].columns(), values, notes)


def _chosen(
    image: dict[str, str], known: list[str], others: list[str], values: dict[str, list[Any]], notes: list[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return settings of image and split, and the targets: columns known to be labels, else those that look like
    labels.
    """
    split = split_column(values)
    targets = known or [name for name in label_columns(values) if name != split]
    unused = [name for name in others if name not in (*targets, split)]
    if unused:
        notes.append(f"Other columns: {', '.join(unused)}. If some are labels, add them to `targets`.")
    return image | ({} if split is None else {"split": split}), targets


def _without_test(place: Path, shards: list[Path], notes: list[str]) -> list[dict[str, Any]]:
    """Use validation shards as the test split if shards are named train and validation only."""
    splits = by_name(place, shards)
    if splits.keys() != {"train", "val"}:
        return []
    patterns = {split: _pattern(place, splits[split], shards) for split in splits}
    if None in patterns.values():
        notes.append(
            "The validation shards are not used to test on: no pattern with one * matches those of one split only. "
            "Give the patterns of `train` and `test` in `shards`."
        )
        return []
    return [{"shards": {"train": patterns["train"], "test": patterns["val"]}}]


def _pattern(place: Path, chosen: list[Path], shards: list[Path]) -> str | None:
    """Return a pattern that matches the chosen shards and no others; None if neither a prefix nor a suffix tells."""
    every = {file: file.relative_to(place).as_posix() for file in shards}
    names = [every[file] for file in chosen]
    prefix = os.path.commonprefix(names)  # noqa: RUF071 (also a part of a name)
    suffix = os.path.commonprefix([name[len(prefix) :][::-1] for name in names])[::-1]  # noqa: RUF071
    candidates = [escape(names[0])] if len(names) == 1 else [f"{escape(prefix)}*", f"{escape(prefix)}*{escape(suffix)}"]
    for pattern in candidates:
        if [name for name in every.values() if fnmatchcase(name, pattern)] == names:
            return pattern
    return None
