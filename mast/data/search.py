"""Search for image files: what is in a directory, and what is left out of it."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from mast.data.decode import SUFFIXES
from mast.data.names import Finder
from mast.errors import MastError

SYSTEM: frozenset[str] = frozenset(
    {
        *(".ds_store", ".localized", ".trashes", ".fseventsd", ".spotlight-v100", ".temporaryitems"),  # macOS
        "__macosx",  # of its archives
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),  # Windows
        *(".directory", "lost+found", "@eadir", ".git", ".gitignore", ".gitkeep", ".gitattributes"),  # Linux, NAS, git
    }
)
"""Names of files that systems leave in folders, in lower case. They are skipped and not counted, like names that begin
with `._` (macOS).
"""


def passed_over(name: str) -> bool:
    """Return whether a file or folder of this name was left by a system."""
    return name.lower() in SYSTEM or name.startswith("._")


@dataclass
class Found:
    """Content of a directory, or of all directories below it; each list is sorted."""

    images: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)
    """Files that are not images, hidden files, and links to folders that contain them or that were already searched."""


def look_into(directory: Path, root_is: str = "set root to a directory of images") -> Found:
    """List the entries of one directory; `root_is` is the hint for a missing directory.

    A broken link with the name of an image counts as an image, and is reported as unreadable later.

    Raises:
        MastError: there is no such directory, or it cannot be read.
    """
    found = Found()
    try:
        for path in sorted(directory.iterdir(), key=lambda path: path.name):
            if passed_over(path.name):
                continue
            mode = _mode(path)
            if path.name.startswith("."):
                found.left_out.append(path)
            elif stat.S_ISDIR(mode):
                (found.left_out if _leads_back(path) else found.folders).append(path)
            elif path.suffix.lower() in SUFFIXES and (mode == 0 or stat.S_ISREG(mode)):
                found.images.append(path)
            else:
                found.left_out.append(path)
    except FileNotFoundError:
        raise MastError(f"{directory}: no such directory{Finder().hint(directory)}; {root_is}") from None
    except NotADirectoryError:
        raise MastError(f"{directory}: is a file; {root_is}") from None
    except OSError as error:
        raise MastError(f"{error.filename or directory}: cannot be read ({error.strerror})") from None
    return found


def search(directory: Path, root_is: str = "set root to a directory of images") -> Found:
    """List images in a directory and all directories below it, at any depth.

    Links to folders are followed; each folder is searched once, under its own name rather than that of a link to it.

    Raises:
        MastError: a directory cannot be read.
    """
    found, entered = Found(), {os.path.realpath(directory)}
    waiting, links = [directory], []
    while waiting or links:
        if not waiting and not _is_new(links[0], entered):
            found.left_out.append(links.pop(0))
            continue
        here = look_into(waiting.pop() if waiting else links.pop(0), root_is)
        found.images += here.images
        found.left_out += here.left_out
        for folder in here.folders:
            if folder.is_symlink():
                links.append(folder)
            elif _is_new(folder, entered):
                waiting.append(folder)
            else:
                found.left_out.append(folder)
    return Found(sorted(found.images), [], sorted(found.left_out))


def _is_new(folder: Path, entered: set[str]) -> bool:
    """Return whether a folder was not entered yet under any name; it counts as entered from now on."""
    target = os.path.realpath(folder)
    new = target not in entered
    entered.add(target)
    return new


def _leads_back(folder: Path) -> bool:
    """Return whether a folder is a link to a folder that contains it."""
    if not folder.is_symlink():
        return False
    target, place = os.path.realpath(folder), os.path.realpath(folder.parent)
    return (place + os.sep).startswith(target.rstrip(os.sep) + os.sep)


def _mode(path: Path) -> int:
    """Return the file type, with links followed; 0 if they are broken or circular."""
    try:
        return path.stat().st_mode
    except PermissionError:
        raise
    except OSError:
        return 0
