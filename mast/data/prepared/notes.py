"""Counts and file names that a manifest records for a split, with the meaning of each count."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from mast.errors import visible

NOTES: dict[str, str] = {
    "skipped": "images skipped, which cannot be read",
    "skipped_annotations": "annotations left out as unusable",
    "left_out": "files and folders left out (no images, hidden, or not of the layout)",
    "narrow": "images of more than 8 bits that use less than a tenth of their range (see the key range)",
    "cut": "images with values beyond 16 bits, which are cut (see the key range)",
    "turned": "images turned by EXIF, whose boxes are read as set by the key exif",
    "crowded_images": "images with more than 100 objects, as many as are detected and scored in an image",
    "repeated_images": "images annotated or listed more than once",
    "renumbered_images": "images with new ids, as not all of theirs are whole numbers that JSON keeps",
    "renumbered_annotations": "annotations with new ids, as not all of theirs are whole numbers from 1 to 2^53 - 1",
    "replaced_areas": "areas replaced by those of the boxes (no positive number, or larger than the box)",
    "replaced_iscrowd": "values of iscrowd written as 0 or 1",
    "empty_segmentations": "objects whose segmentation is empty",
    "empty_masks": "segmentations that cover no pixel",
}
"""Count in a manifest's `splits` → what it counts. Zero counts are left out, except for the first two."""

MOST_NAMES = 20
"""Number of files that are named for each count."""


def names_below(root: Path | str, paths: Sequence[Path]) -> list[str]:
    """Return the first MOST_NAMES paths relative to `root`, or to its directory; folders end with a slash."""
    root = Path(root).parent if Path(root).is_file() else root
    return [os.path.relpath(path, root) + ("/" if path.is_dir() else "") for path in paths[:MOST_NAMES]]


def lines(name: str, splits: dict[str, dict[str, int]], named: dict[str, dict[str, list[str]]]) -> Iterator[str]:
    """Yield a line for each count of NOTES that is not 0."""
    for split, counts in splits.items():
        for key, meaning in NOTES.items():
            if count := counts.get(key):
                names = named.get(split, {}).get(key, [])
                more = ", …" if count > 3 else ""
                first = f" ({', '.join(map(visible, names[:3]))}{more})" if names else ""
                yield f"{name}, {split}: {meaning}: {count:,}{first}"
