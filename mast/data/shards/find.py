"""Find the shards below a directory, and the split of each."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

from mast.data.search import search
from mast.errors import MastError

WORDS: dict[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""Split → words in names that mark it: those of huggingface/datasets, src/datasets/data_files.py."""

_NUMBERED = re.compile(r"(?P<name>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<rest>\D.*)", re.DOTALL)
"""`train-00000-of-00002.parquet`, as Hugging Face and TensorFlow number shards."""


def find_shards(root: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return files with one of the suffixes below a directory, at any depth, sorted; or the single file `root`.

    Raises:
        MastError: there are none, or a directory cannot be read.
    """
    if root.is_file():
        return [root]
    found = search(root, f"set root to a directory of {suffixes[0]} files").left_out
    shards = [file for file in found if file.name.lower().endswith(suffixes) and not file.name.startswith(".")]
    if not shards:
        raise MastError(f"{root}: holds no {' or '.join(suffixes)} file")
    return shards


def check_whole(root: Path, shards: list[Path]) -> None:
    """Check that no shard is missing, if names tell how many there are; `root` alone may be one of them.

    Raises:
        MastError: a shard is missing.
    """
    here = set(shards)
    numbered = [(file, match) for file in shards if file != root and (match := _NUMBERED.fullmatch(file.name))]
    series = {(file.parent, match["name"], match["count"], match["rest"]) for file, match in numbered}
    for folder, name, count, rest in sorted(series):
        others = [folder / f"{name}-{number:05d}-of-{count}{rest}" for number in range(int(count))]
        if missing := [other for other in others if other not in here]:
            raise MastError(
                f"{missing[0]}: missing ({len(missing)} of {int(count)} such shards); "
                "fetch it, or name in `shards` those to use"
            )


def by_name(root: Path, shards: list[Path], key: str = "`shards`") -> dict[str, list[Path]]:
    """Return split → shards, from their names or those of folders below `root`; all are train if no name gives a split.

    A file that is `root` itself is train, whatever its name.

    `key` is the setting that can give the splits instead.

    Raises:
        MastError: a name gives no split although others do, or gives two; no shard is train.
    """
    said = {file: None if file == root else _said(root, file, key) for file in shards}
    if not any(said.values()):
        return {"train": shards}
    for file, split in said.items():
        if split is None:
            raise MastError(f"{file}: its name does not say train, val or test, as others do; say so in {key}")
    return _grouped(root, said, key)


def by_pattern(root: Path, shards: list[Path], patterns: dict[str, str]) -> dict[str, list[Path]]:
    """Return split → shards whose paths below `root` match its pattern, such as `data/train-*`; others are left out.

    Raises:
        MastError: a pattern matches none, or two match the same.
    """
    said: dict[Path, str] = {}
    for split, pattern in patterns.items():
        names = {file: file.name if file == root else file.relative_to(root).as_posix() for file in shards}
        matching = [file for file, name in names.items() if fnmatchcase(name, pattern)]
        if not matching:
            shown = ", ".join(list(names.values())[:3]) + (", …" if len(names) > 3 else "")
            raise MastError(f"{root}: shards.{split}: {pattern!r} matches no shard; there are {shown}")
        for file in matching:
            if file in said:
                raise MastError(f"{file}: is matched by shards.{said[file]} and shards.{split}; let it be in one split")
            said[file] = split
    return _grouped(root, said, "`shards`")


def _said(root: Path, file: Path, key: str) -> str | None:
    """Return the split from the nearest name: that of the file, or of a folder around it below `root`."""
    below = file.relative_to(root)
    for name in (below.name.partition(".")[0], *(folder.name for folder in below.parents)):
        words = re.split(r"[^a-z]+", name.lower())
        splits = [split for split, aliases in WORDS.items() if set(words) & set(aliases)]
        if len(splits) > 1:
            raise MastError(f"{file}: {name!r} says {splits[0]} and {splits[1]}; say in {key} which it is")
        if splits:
            return splits[0]
    return None


def _grouped(root: Path, said: dict[Path, str], key: str) -> dict[str, list[Path]]:
    found = {split: [file for file, own in said.items() if own == split] for split in WORDS}
    if not found["train"]:
        example = next(iter(said)).name
        raise MastError(f"{root}: no file is for training ({example}, for example, is not); say which are in {key}")
    return {split: files for split, files in found.items() if files}
