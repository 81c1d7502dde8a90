"""Labelled images named by a published list, such as SimCLR's 1 % of ImageNet (docs/understand/protocols.md)."""

from pathlib import Path

import numpy as np

from mast.data.prepared.store import PreparedData
from mast.errors import MastError


def listed_positions(file: Path, task: PreparedData) -> np.ndarray:
    """Return the positions in train of the images that a file names, int64, ascending.

    Args:
        file: list with one image a line; folders before the name are ignored.
        task: task prepared with `storage: index`, which keeps the names of its images.

    Raises:
        MastError: the list is missing or empty, names an image twice, or a name does not match exactly one training
            image; or the task keeps no names.
    """
    names = listed_names(file)
    paths = task.paths("train")
    found = {}
    for position, path in enumerate(paths):
        name = path.rsplit(b"/", 1)[-1]
        if name in names:
            if name in found:
                raise MastError(
                    f"{file}: {name.decode(errors='replace')!r} is the name of several training images of {task.name!r}"
                )
            found[name] = position
    if unknown := sorted(names - found.keys()):
        raise MastError(
            f"{file}: {unknown[0].decode(errors='replace')!r} is no training image of {task.name!r} "
            f"({len(unknown)} of {len(names)} names are not); use the list that belongs to these data"
        )
    return np.array(sorted(found.values()), np.int64)


def listed_names(file: Path) -> set[bytes]:
    """Return the names of a list, without folders.

    Raises:
        MastError: the list is missing or empty, or names an image twice.
    """
    try:
        lines = [line.strip() for line in file.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    except OSError as error:
        raise MastError(f"{file}: cannot be read ({error.strerror}); subset_list names a file of image names") from None
    listed = [line.rsplit(b"/", 1)[-1] for line in lines if line]
    if not listed:
        raise MastError(f"{file}: names no image; one name on each line is expected")
    if len(set(listed)) < len(listed):
        raise MastError(f"{file}: {len(listed) - len(set(listed))} names are repeated; each image may be named once")
    return set(listed)
