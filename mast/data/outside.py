"""Source files of prepared data, and what has changed in them since (docs/use/data.md, *Changed data*)."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mast.data.decode import SUFFIXES
from mast.data.search import passed_over
from mast.errors import MastError
from mast.files import atomic_path, sha256_file

LARGEST_HASHED = 2 << 30
"""Largest size, bytes, at which a list or an annotation file is compared by its content; larger ones by size and time.
"""


@dataclass(frozen=True)
class Tree:
    """Images of a directory."""

    path: str
    deep: bool = True
    """Whether directories below it are included, at any depth."""
    every: bool = False
    """Whether all files count, not only images, except for names that begin with a dot or that systems leave
    (`SYSTEM`).
    """
    suffixes: tuple[str, ...] = ()
    """Suffixes, in lower case, of the files that count instead of images."""


@dataclass(frozen=True)
class Listed:
    """Files named by a list or an annotation file, below a directory or with absolute paths."""

    path: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Text:
    """A list or an annotation file, compared by its content."""

    path: str


Place = Tree | Listed | Text
KINDS: dict[str, type[Place]] = {"tree": Tree, "listed": Listed, "text": Text}


@dataclass(frozen=True)
class Snapshot:
    """State of the files of some places. A file's name is `<number of its place>/<path below it>`."""

    places: tuple[Place, ...]
    """The places; `Listed` without its names."""
    names: list[str]
    sizes: np.ndarray
    """Sizes of the files, int64 [N], bytes."""
    times: np.ndarray
    """Times of the last change, int64 [N], nanoseconds."""
    hashes: dict[str, str]
    """Name of a list or annotation file → SHA-256 of its content."""
    reason: str = ""
    """Why the data were prepared again; empty the first time."""

    def write(self, file: Path) -> None:
        """Write the snapshot as a NumPy archive, atomically."""
        kinds = {kind: name for name, kind in KINDS.items()}
        places = [{"kind": kinds[type(place)], **asdict(place)} for place in self.places]
        about = {"format": 1, "reason": self.reason, "places": places, "hashes": self.hashes}
        names = np.frombuffer("\0".join(self.names).encode(errors="surrogateescape"), np.uint8)
        with atomic_path(file) as temporary:
            np.savez(temporary, about=np.array(json.dumps(about)), names=names, sizes=self.sizes, times=self.times)

    @classmethod
    def read(cls, file: Path) -> "Snapshot":
        """Read a snapshot that `write` wrote.

        Raises:
            MastError: the file is missing or damaged.
        """
        try:
            with np.load(file, allow_pickle=False) as arrays:
                about = json.loads(str(arrays["about"]))
                names = arrays["names"].tobytes().decode(errors="surrogateescape")
                places = tuple(_place(values) for values in about["places"])
                sizes, times = arrays["sizes"], arrays["times"]
                return cls(places, names.split("\0") if names else [], sizes, times, about["hashes"], about["reason"])
        except Exception as error:  # numpy, zipfile and json raise many kinds of exception for damaged files
            reason = " ".join(str(error).split())
            raise MastError(f"{file}: cannot be read ({reason}); delete it, then prepare the data again") from None

    def again(self) -> "Snapshot | None":
        """Return a snapshot of the same places now; None if none of them exists any more."""
        listed: list[list[str]] = [[] for _ in self.places]
        for name in self.names:
            number, _, rest = name.partition("/")
            listed[int(number)].append(rest)
        places = [
            replace(place, names=tuple(names)) if isinstance(place, Listed) else place
            for place, names in zip(self.places, listed, strict=True)
        ]
        return snapshot(places, self)


@dataclass(frozen=True)
class Changes:
    """Differences between two snapshots."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    """Files whose size or content has changed."""
    touched: int = 0
    """Number of files of which only the time is known to differ."""
    new_folders: tuple[str, ...] = ()

    @property
    def content(self) -> bool:
        """Whether more than times differ."""
        return bool(self.added or self.removed or self.other)

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return self.content or self.touched > 0

    def __str__(self) -> str:
        """Short description: `40 files added (new folder: 'train/zebra'), 1 file of another time`."""
        folders = f" (new folder: {_some(self.new_folders)})" if self.new_folders else ""
        parts = [f"{_files(len(self.added))} added{folders}"] if self.added else []
        parts += [f"{_files(len(self.removed))} removed ({_some(self.removed)})"] if self.removed else []
        parts += [f"{_files(len(self.other))} changed ({_some(self.other)})"] if self.other else []
        parts += [f"{_files(self.touched)} of another time"] if self.touched else []
        return ", ".join(parts)


def snapshot(places: Iterable[Place], before: Snapshot | None = None) -> Snapshot | None:
    """Take a snapshot of places; None if there are none, or if nothing exists there.

    A list of the same size and time as in `before` is not read again.
    """
    known = {} if before is None else {name: before.names.index(name) for name in before.hashes}
    kept: list[Place] = []
    names: list[str] = []
    facts: list[tuple[int, int]] = []
    hashes: dict[str, str] = {}
    for number, place in enumerate(places):
        kept.append(Listed(place.path) if isinstance(place, Listed) else place)
        for name, size, time in _found(place):
            names.append(f"{number}/{name}")
            facts.append((size, time))
        if isinstance(place, Text) and names and names[-1] == f"{number}/" and facts[-1][0] <= LARGEST_HASHED:
            at = known.get(names[-1])
            same = at is not None and (before.sizes[at], before.times[at]) == facts[-1]
            hashes[names[-1]] = before.hashes[names[-1]] if same else sha256_file(Path(place.path))
    if not names:
        return None
    sizes, times = np.array(facts, np.int64).T
    return Snapshot(tuple(kept), names, sizes, times, hashes)


def changes(old: Snapshot, new: Snapshot) -> Changes:
    """Return what has changed from `old` to `new`; their places may be at different paths."""
    if old.names == new.names:
        rows = np.flatnonzero((old.sizes != new.sizes) | (old.times != new.times))
        pairs = [(old.names[row], row, row) for row in rows]
        return _changes(old, new, pairs)
    before = {name: row for row, name in enumerate(old.names)}
    after = {name: row for row, name in enumerate(new.names)}
    shared = [(name, before[name], row) for name, row in after.items() if name in before]
    pairs = [(name, i, j) for name, i, j in shared if (old.sizes[i], old.times[i]) != (new.sizes[j], new.times[j])]
    added = [name for name in after if name not in before]
    folders = {name.rpartition("/")[0] for name in before}
    fresh = {name.rpartition("/")[0] for name in added} - folders
    return replace(
        _changes(old, new, pairs),
        added=tuple(_shown(new, name) for name in added),
        removed=tuple(_shown(old, name) for name in before if name not in after),
        new_folders=tuple(_shown(new, folder) for folder in sorted(fresh) if "/" in folder),
    )


def _changes(old: Snapshot, new: Snapshot, pairs: list[tuple[str, int, int]]) -> Changes:
    """Return the changes of files (name, row in old, row in new) that differ in size or time."""
    other, touched = [], 0
    for name, i, j in pairs:
        hashes = old.hashes.get(name), new.hashes.get(name)
        known = None not in hashes
        changed = hashes[0] != hashes[1] if known else old.sizes[i] != new.sizes[j]
        if changed:
            other.append(_shown(new, name))
        else:
            touched += 1
    return Changes(other=tuple(other), touched=touched)


def _found(place: Place) -> Iterator[tuple[str, int, int]]:
    """Yield name below the place, size and time of each of its files."""
    match place:
        case Text(path):
            yield from _facts("", path)
        case Listed(path, names):
            for name in names:
                yield from _facts(name, name if name.startswith("/") else f"{path}/{name}")
        case Tree(path, deep, every, suffixes):
            for found in sorted(_in_tree(path, deep, every or bool(suffixes))):
                if not suffixes or found[0].lower().endswith(suffixes):
                    yield found


def _facts(name: str, path: str) -> Iterator[tuple[str, int, int]]:
    try:
        state = Path(path).stat()
    except OSError:
        return
    yield name, state.st_size, state.st_mtime_ns


def _in_tree(root: str, deep: bool, every: bool) -> Iterator[tuple[str, int, int]]:
    """Yield the files below a directory. Each real directory is entered once, so that links may form loops."""
    entered, waiting = set(), [("", root)]
    while waiting:
        prefix, folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in entered:
            continue
        entered.add(real)
        try:
            entries = [entry for entry in os.scandir(folder) if not _is_left_out(entry.name)]
        except OSError:
            continue
        for entry in entries:
            try:
                folder_here = entry.is_dir()
            except OSError:  # a link to itself
                continue
            if folder_here:
                if deep:
                    waiting.append((f"{prefix}{entry.name}/", entry.path))
            elif every or f".{entry.name.rpartition('.')[2].lower()}" in SUFFIXES:
                try:
                    state = entry.stat()
                except OSError:  # a broken link
                    continue
                yield prefix + entry.name, state.st_size, state.st_mtime_ns


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or passed_over(name)


def _place(values: dict[str, Any]) -> Place:
    kind = KINDS[values["kind"]]
    tuples = ("names", "suffixes")
    return kind(**{key: tuple(value) if key in tuples else value for key, value in values.items() if key != "kind"})


def _shown(one: Snapshot, name: str) -> str:
    """Return `train/zebra/1.png`: a name with the last part of the path of its place."""
    number, _, rest = name.partition("/")
    return (Path(one.places[int(number)].path).name + f"/{rest}").rstrip("/")


def _files(count: int) -> str:
    return f"{count:,} file{'s' * (count != 1)}"


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names[:2])) + (", …" if len(names) > 2 else "")
