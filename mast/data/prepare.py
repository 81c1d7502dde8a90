"""One entry for every kind of data set: from its settings to the prepared directory."""

from pathlib import Path

from mast.data.readers import Reader
from mast.errors import MastError


def prepare(name: str, spec: Reader, output: Path, threads: int = 1) -> None:
    """Write the prepared form of a data set into the directory `output` (docs/formats.md).

    Either the whole data set is replaced, or, if anything goes wrong, what was there before stays.

    Args:
        name: recorded in the manifest.
        spec: what to prepare.
        output: directory of the prepared data.
        threads: for decoding image files.

    Raises:
        MastError: the source is missing, damaged or not what the spec says; the disk is full.
    """
    try:
        spec.prepare(name, Path(output), threads)
    except OSError as error:
        where = error.filename or output
        reason = error.strerror or str(error)  # numpy reports a full disk in words of its own
        raise MastError(f"{where}: preparing {name!r} stopped ({reason}); check disk space and permissions") from None
