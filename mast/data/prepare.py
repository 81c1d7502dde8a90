"""Prepare any kind of dataset: from its settings to the prepared directory."""

from dataclasses import replace
from pathlib import Path

from mast.data.outside import Snapshot, snapshot
from mast.data.readers import Reader
from mast.errors import MastError
from mast.results import DataFiles


def prepare(name: str, spec: Reader, output: Path, threads: int = 1, reason: str = "") -> None:
    """Write the prepared form of a dataset into the directory `output` (docs/use/formats.md).

    Either the whole dataset is replaced or, if anything fails, the old files stay. The state of the source files before
    they were read is written as well, so that later changes are noticed.

    Args:
        name: the dataset's name, recorded in the manifest.
        spec: settings of the dataset.
        output: directory of the prepared data.
        threads: number of threads for decoding image files.
        reason: why data are prepared again; recorded with the source files.

    Raises:
        MastError: the source is missing, damaged or does not fit the spec; the disk is full.
    """
    files = DataFiles(Path(output))
    try:
        found = _sources(spec)
        fetches = bool(spec.missing())
        spec.prepare(name, files.directory, threads)
        found = _sources(spec) if fetches else found
        if found is None:
            files.sources.unlink(missing_ok=True)
        else:
            replace(found, reason=reason).write(files.sources)
    except OSError as error:
        where = error.filename or output
        reason = error.strerror or str(error)  # numpy reports a full disk in its own words
        raise MastError(f"{where}: preparing {name!r} stopped ({reason}); check disk space and permissions") from None


def _sources(spec: Reader) -> Snapshot | None:
    """Return the state of the source files; None if there are none, or if preparing will report what is wrong with
    them.
    """
    try:
        return snapshot(spec.sources())
    except (MastError, OSError):
        return None
