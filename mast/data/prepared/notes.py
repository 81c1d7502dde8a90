"""What the manifest counts and names of a split beside its images, and what each count means."""

import os
from collections.abc import Iterable
from pathlib import Path

NOTES: dict[str, str] = {
    "skipped": "images were skipped, which cannot be read",
    "skipped_annotations": "annotations were left out as unusable",
    "left_out": "files and folders were left out: no images, hidden, or not of the layout",
    "narrow": "images of more than 8 bits use less than a tenth of their range; see the key range",
    "cut": "images hold values beyond 16 bits, which are cut; see the key range",
    "turned": "images are turned by EXIF; boxes are taken to be on the pixels that the key exif names",
    "repeated_images": "images stand in the annotations more than once",
    "renumbered_images": "images got new ids: theirs are not all whole numbers below 2^53",
    "renumbered_annotations": "annotations got new ids: theirs are not all whole numbers, none 0, below 2^53",
    "replaced_areas": "areas were replaced by those of their boxes: not a positive number, or larger than the box",
    "replaced_iscrowd": "iscrowd was null or no number and is now 0 or 1",
    "empty_masks": "segmentations cover no pixel",
    "empty_segmentations": "segmentations are empty, which leaves their objects without a mask",
}
"""Count in a manifest's `splits` → what it says. Those of 0 are left out, but for the first."""

MOST_NAMES = 20
"""As many files are named of each count."""


def names_below(root: Path | str, paths: Iterable[Path]) -> list[str]:
    """Paths relative to `root`; of folders with a slash at the end."""
    return [os.path.relpath(path, root) + ("/" if path.is_dir() else "") for path in paths]


def lines(name: str, splits: dict[str, dict[str, int]], named: dict[str, dict[str, list[str]]]) -> Iterable[str]:
    """A line for each count of NOTES that is not 0."""
    for split, counts in splits.items():
        for key, meaning in NOTES.items():
            if count := counts.get(key):
                names = named.get(split, {}).get(key, [])
                more = ", …" if count > 3 else ""
                first = f" ({', '.join(map(_one_line, names[:3]))}{more})" if names else ""
                yield f"{name}, {split}: {count:,} {meaning}{first}"


def _one_line(name: str) -> str:
    return name if name.isprintable() else ascii(name)
