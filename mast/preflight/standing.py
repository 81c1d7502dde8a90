"""State of a prepared dataset compared with its settings and source files, when a workflow is planned."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from mast.config.experiment import Experiment
from mast.data.outside import Changes, Snapshot, changes, snapshot
from mast.data.readers import Reader, places
from mast.data.settings import InPlace
from mast.errors import MastError
from mast.files import sha256_file, sha256_json
from mast.records import Manifest
from mast.results import Results
from mast.settings import parse


@dataclass(frozen=True)
class Standing:
    """State of a dataset, and what has to be done about it."""

    prepared: bool = False
    settings: tuple[str, ...] = ()
    """Keys of its settings that have changed since it was prepared."""
    changes: Changes | None = None
    """Changes of the source files; None if they are not known or were not looked up."""
    same: bool = False
    """Whether the content is expected to stay the same when it is prepared again."""
    reason: str = ""
    """Reason for preparing the data again because of changed files. It names the state of the files before the change,
    so it stays the same however the files change until the job starts. It differs from the reason of the last
    preparation.
    """

    @property
    def due(self) -> bool:
        """Whether the dataset was prepared and will be prepared again."""
        return self.prepared and bool(self.settings or self.changes)

    def __str__(self) -> str:
        """Description of what has changed since it was prepared."""
        parts = [f"{', '.join(self.settings)} changed in the configuration"] if self.settings else []
        return ", ".join(parts + ([str(self.changes)] if self.changes else []))


def standing(experiment: Experiment, name: str) -> Standing:
    """Compare a dataset with the settings and files from which it was prepared.

    Raises:
        MastError: the manifest, or the record of the source files, is damaged.
    """
    files, spec = Results(experiment.results).data(name), experiment.datasets[name]
    if not files.manifest.exists():
        return Standing()
    old = read_manifest(files.manifest).spec
    new = spec.model_dump(mode="json")
    keys = tuple(sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key)))
    before = _as_written(spec, old)
    same = before is not None and before.content() == spec.content()
    moved = before is None or places(before) != places(spec)
    if not files.sources.exists():
        return Standing(True, keys, same=same and not moved)
    seen = Snapshot.read(files.sources)
    found, reason = None, seen.reason
    if moved or experiment.changed_data == "prepare":
        now = _look(spec, seen, moved)
        found = None if now is None else changes(seen, now)
        if found and not moved:
            reason = f"files changed since {_state(seen)[:12]}"
    in_place = moved and isinstance(spec, InPlace)  # its identity covers the directory of the images
    same = same and not in_place and (not moved if found is None else not found.content)
    return Standing(True, keys, None if moved else found, same, reason)


def dependents(experiment: Experiment, name: str) -> str:
    """Return what is made from a dataset: `runs a, b; studies c`."""
    runs = [run for run, spec in experiment.runs.items() if spec.dataset == name]
    studies = [key for key, study in experiment.studies.items() if name in study.tasks or set(runs) & set(study.runs)]
    named = (("runs", runs), ("studies", studies))
    return "; ".join(f"{what} {', '.join(own[:5])}{', …' * (len(own) > 5)}" for what, own in named if own) or "nothing"


def made_from(file: Path, manifest_file: Path) -> bool:
    """Return whether a result (`run.json`, features, metrics) was made from the data that a manifest describes.

    False if the result cannot be read.
    """
    try:
        manifest = read_manifest(manifest_file)
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                identity = json.loads(str(arrays["metadata"]))["task_sha256"]
                same = json.loads(str(arrays["classes"])) == manifest.targets
        else:
            record = json.loads(file.read_bytes())
            identity, same = record.get("task_sha256", record["data_sha256"]), True
    except Exception:  # the job that makes or reads the files reports what is wrong with them
        return False
    return same and identity == manifest.sha256


def files_state(files: Iterable[str], metrics: Path, recorded: Collection[str] = ()) -> list[str] | None:
    """Return the SHA-256 of each file of a protocol; None if there are none, or if metrics of an older version exist.

    Older metrics do not record the files and are assumed to be made from the present ones. Metrics that replaced them
    were made from these files, but Snakemake remembers them without the files; then the result is None as well.

    Args:
        files: files of the protocol.
        metrics: the metrics file.
        recorded: the params with which Snakemake remembers making it, as text; empty if it remembers none.
    """
    files = list(files)
    try:
        details = (json.loads(metrics.read_bytes()).get("details") or {}) if metrics.exists() else {"files": {}}
    except ValueError:
        details = {"files": {}}
    if not files or "files" not in details:
        return None
    now = [_sha256(Path(file), Path(file).stat().st_mtime_ns) if Path(file).exists() else "" for file in files]
    made_from_these = now == [details["files"].get(file) for file in files]
    return None if recorded and made_from_these and str(now) not in recorded else now


@lru_cache(maxsize=256)
def _sha256(file: Path, _: int) -> str:
    return sha256_file(file)


def read_manifest(file: Path) -> Manifest:
    """Read a manifest, once for as long as the file does not change."""
    return _read_manifest(Path(file), file.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _read_manifest(file: Path, _: int) -> Manifest:
    return Manifest.read(file)


def _state(seen: Snapshot) -> str:
    return sha256_json([seen.names, seen.sizes.tolist(), seen.times.tolist(), seen.hashes])


def _as_written(spec: Reader, old: dict[str, object]) -> Reader | None:
    """Return the settings with which data were prepared; None if they are of another kind or version."""
    try:
        return parse(type(spec), old, "")
    except MastError:
        return None


def _look(spec: Reader, seen: Snapshot, moved: bool) -> Snapshot | None:
    try:
        return snapshot(spec.sources()) if moved else seen.again()
    except (MastError, OSError):  # preparing reports what is wrong
        return None
