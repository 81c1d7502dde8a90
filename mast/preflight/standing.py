"""How a prepared dataset stands to its settings and to the files that it was made from, when a workflow is planned."""

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
    """What is to be done about a dataset."""

    prepared: bool = False
    settings: tuple[str, ...] = ()
    """Keys of its settings that have changed since it was prepared."""
    changes: Changes | None = None
    """What has changed of the files outside; None where that is not known, or nobody asked."""
    same: bool = False
    """Whether its content is expected to stay as it is when it is prepared again."""
    reason: str = ""
    """Differs from the reason with which it was prepared, if it is to be prepared again for changed files: it names the
    state of before. So it stays the same however the files change until the job has started."""

    @property
    def due(self) -> bool:
        """Whether it was prepared and will be prepared again."""
        return self.prepared and bool(self.settings or self.changes)

    def __str__(self) -> str:
        """What has changed since it was prepared."""
        parts = [f"{', '.join(self.settings)} changed in the configuration"] if self.settings else []
        return ", ".join(parts + ([str(self.changes)] if self.changes else []))


def standing(experiment: Experiment, name: str) -> Standing:
    """Compare a dataset with what it was prepared from.

    Raises:
        MastError: the manifest, or the record of the files outside, is damaged.
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
    in_place = moved and isinstance(spec, InPlace)  # whose identity covers the directory of the images
    same = same and not in_place and (not moved if found is None else not found.content)
    return Standing(True, keys, None if moved else found, same, reason)


def dependents(experiment: Experiment, name: str) -> str:
    """What is made from a dataset: `runs a, b; studies c`."""
    runs = [run for run, spec in experiment.runs.items() if spec.dataset == name]
    studies = [key for key, study in experiment.studies.items() if name in study.tasks or set(runs) & set(study.runs)]
    named = (("runs", runs), ("studies", studies))
    return "; ".join(f"{what} {', '.join(own[:5])}{', …' * (len(own) > 5)}" for what, own in named if own) or "nothing"


def made_from(file: Path, manifest_file: Path) -> bool:
    """Whether a result (`run.json`, features, metrics) was made from the data that a manifest describes.

    False where that cannot be read.
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
    except Exception:  # whatever is wrong with the files, the job that makes or reads them says so
        return False
    return same and identity == manifest.sha256


def files_state(files: Iterable[str], metrics: Path, recorded: Collection[str] = ()) -> list[str] | None:
    """SHA-256 of each file of a protocol; None where there are none, or where metrics of an older version are there.

    Those do not record the files, and are taken to be made from what is there now. Metrics that took their place are
    made from these files, but Snakemake remembers them without: then None too.

    Args:
        files: of the protocol.
        metrics: the metrics file.
        recorded: the params with which Snakemake remembers making it, as text; nothing where it remembers none.
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
    """Read a manifest; once, as long as it does not change."""
    return _read_manifest(Path(file), file.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _read_manifest(file: Path, _: int) -> Manifest:
    return Manifest.read(file)


def _state(seen: Snapshot) -> str:
    return sha256_json([seen.names, seen.sizes.tolist(), seen.times.tolist(), seen.hashes])


def _as_written(spec: Reader, old: dict[str, object]) -> Reader | None:
    """The settings with which data were prepared; None where they are of another kind or version."""
    try:
        return parse(type(spec), old, "")
    except MastError:
        return None


def _look(spec: Reader, seen: Snapshot, moved: bool) -> Snapshot | None:
    try:
        return snapshot(spec.sources()) if moved else seen.again()
    except (MastError, OSError):  # preparing says what is wrong
        return None
