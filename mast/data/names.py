"""Names that look the same on screen but differ: accents in two forms, invisible characters, spaces, case."""

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from mast.data.decode import SUFFIXES


def composed(name: str) -> str:
    """Return the name with accents in one form (Unicode's NFC). Names with equal forms are treated as the same."""
    return unicodedata.normalize("NFC", name)


def seen(name: str) -> str:
    """Return the visible form of a name: composed, without invisible characters, single spaces, none at the ends."""
    shown = "".join(character for character in composed(name) if unicodedata.category(character) not in ("Cf", "Cc"))
    return composed(" ".join(shown.split()))


def twin(name: str, others: Iterable[str]) -> str | None:
    """Return one of `others` that looks like the name, or differs from it only in case; None if there is none."""
    others = list(others)
    for look in (composed, seen, lambda text: seen(text).casefold()):
        for other in others:
            if look(other) == look(name):
                return other
    return None


def difference(name: str, other: str) -> str:
    """Return both names with invisible characters written out, and how they differ."""
    if composed(name) == composed(other):
        how = "they differ in how accents are stored (NFC and NFD)"
    elif seen(name) != seen(other):
        how = "they differ by case"
    elif composed(name).strip() == composed(other).strip():
        how = "they differ by spaces at an end"
    else:
        how = "they differ by characters that do not show"
    return f"{written_out(name)} and {written_out(other)}: {how}"


def written_out(name: str) -> str:
    """Return a name in quotes, with codes for invisible characters and the rarer of two forms (`'cafe\u0301'`)."""
    plain = composed(name) == name and all(character == " " or character.isprintable() for character in name)
    return repr(name) if plain else ascii(name)


class Finder:
    """Find files under the names in lists and annotations, also if their accents are stored in another form."""

    def __init__(self) -> None:
        """Start empty. A directory is listed once, when a name is first not found in it."""
        self._listed: dict[Path, dict[str, list[str]]] = {}
        self._images: dict[Path, dict[str, list[str]]] = {}

    def find(self, file: Path) -> Path | None:
        """Return the file itself, or the one whose path differs only in the form of accents; None if there is none."""
        if file.is_file():
            return file
        if file.parent == file:
            return None
        parent = file.parent if file.parent.is_dir() else self.find_folder(file.parent)
        names = [] if parent is None else self._entries(parent).get(composed(file.name), [])
        return next((parent / name for name in names if (parent / name).is_file()), None)

    def find_folder(self, folder: Path) -> Path | None:
        """Return the folder itself, or one whose path differs only in the form of accents; None if there is none."""
        if folder.is_dir():
            return folder
        parent = None if folder.parent == folder else self.find_folder(folder.parent)
        names = [] if parent is None else self._entries(parent).get(composed(folder.name), [])
        return next((parent / name for name in names if (parent / name).is_dir()), None)

    def find_image(self, file: Path) -> Path | None:
        """Return the same as `find`, or the one image of that name with another suffix (`.JPG`, `.png`)."""
        found, near = self.find(file), self.find_folder(file.parent)
        if found is not None or near is None:
            return found
        if near not in self._images:
            self._images[near] = {}
            for path in (Path(name) for names in self._entries(near).values() for name in names):
                if path.suffix.lower() in SUFFIXES:
                    self._images[near].setdefault(composed(path.stem), []).append(path.name)
        others = self._images[near].get(composed(file.stem), [])
        return near / others[0] if len(others) == 1 else None

    def hint(self, file: Path) -> str:
        """Return a hint at similar files: `; there is 'A.JPG', …`, or "" if there are none."""
        entries = [name for names in self._entries(file.parent).values() for name in names]
        other = twin(file.name, entries)
        return "" if other is None else f"; there is another, {difference(file.name, other)}"

    def _entries(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._listed:
            self._listed[folder] = {}
            try:
                names = sorted(path.name for path in folder.iterdir())
            except OSError:  # hints and missing files only: there is no directory, or it cannot be read
                names = []
            for name in names:
                self._listed[folder].setdefault(composed(name), []).append(name)
        return self._listed[folder]
