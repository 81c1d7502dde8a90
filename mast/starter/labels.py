"""Find the columns or folders that hold labels and the split, and whether encoders can be evaluated on them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mast.data.folders import SPLITS
from mast.data.readers import READERS, Reader
from mast.data.search import look_into, search
from mast.errors import MastError
from mast.settings import parse

FEWEST_PER_CLASS = 5
"""Average number of images per class from which the values of a column are taken as classes."""

_SPLIT_NAMES = {alias for aliases in SPLITS.values() for alias in aliases}

_DATE = re.compile(r"(19|20)\d{2}([-_. ]?\d{2}([-_. ]?\d{2})?)?")
"""Names that are dates: `2023`, `2023-05`, `20230517`."""

TEST_FRACTION = 0.2
"""Share of the images that is drawn for testing if no test split is given."""


def inmost(folder: Path) -> Path:
    """Return the folder, or the one inside it that is its only content of images, and so on.

    Raises:
        MastError: a directory cannot be read.
    """
    while True:
        here = look_into(folder)
        filled = [inside for inside in here.folders if search(inside).images]
        if here.images or len(filled) != 1 or filled[0].name in _SPLIT_NAMES:
            return folder
        folder = filled[0]


def are_classes(folder: Path) -> bool:
    """Return whether folders look like classes: two or more, each with at least FEWEST_PER_CLASS images, and no image
    next to them.

    Folders named by years or dates are not classes: photographs are often stored that way.

    Raises:
        MastError: a directory cannot be read.
    """
    here = look_into(folder)
    names = {inside.name for inside in here.folders}
    others = here.images or len(names) < 2 or names & _SPLIT_NAMES or all(map(_DATE.fullmatch, names))
    return not others and all(len(search(inside).images) >= FEWEST_PER_CLASS for inside in here.folders)


def label_columns(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """Return the columns whose values are few, text or whole numbers, and never missing."""
    return [name for name, values in columns.items() if _are_classes(values)]


def split_column(columns: Mapping[str, Sequence[Any]]) -> str | None:
    """Return the first column whose values are train and test, and maybe val; None if there is none."""
    for name, values in columns.items():
        said = {str(value).strip().lower() for value in values}
        if {"train", "test"} <= said <= _SPLIT_NAMES:
            return name
    return None


def evaluable(
    settings: dict[str, Any], targets: Sequence[str], notes: list[str], others: Sequence[dict[str, Any]] = ()
) -> tuple[dict[str, Any], Reader]:
    """Return settings with the targets that can be evaluated on, with a test split, and their reader.

    Args:
        settings: settings without targets.
        targets: columns that look like labels.
        notes: list to which notes on problems are added.
        others: further settings that give a test split to data without one; the last resort is to draw one.

    Raises:
        MastError: the data cannot be read.
    """
    kind, reason = READERS[settings["kind"]], ""
    for some in dict.fromkeys((tuple(targets), tuple(targets[:1]))) if targets else ():
        for more in ({}, *others, {"test_fraction": TEST_FRACTION}):
            tried = settings | {"targets": list(some)} | more
            try:
                spec = parse(kind, tried, "")
                spec.check(evaluated=True)
            except MastError as error:
                reason = reason or str(error)
            else:
                return tried, spec
    if reason:
        notes.append(f"No columns of labels are used: {reason.split(';')[0]}.")
    spec = kind(**settings)
    spec.check(evaluated=False)
    return settings, spec


def _are_classes(values: Sequence[Any]) -> bool:
    known = {str(value).strip() for value in values if isinstance(value, str | int)}
    whole = all(isinstance(value, str | int) and str(value).strip() for value in values)
    return whole and len(known) >= 2 and len(values) >= FEWEST_PER_CLASS * len(known)
