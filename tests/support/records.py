"""Records of artefacts that no run has written."""

import hashlib
from pathlib import Path
from typing import Any

from mast.records import RunRecord


def hashed(text: str) -> str:
    """Return a SHA-256 for `text`."""
    return hashlib.sha256(text.encode()).hexdigest()


def write_run_record(path: Path, **changed: Any) -> Path:
    """Write the record of one run; keyword arguments replace its values."""
    values = {
        **{"run": "mast", "dataset": "shapes", "seed": 0, "spec": {}, "files": {}, "health": None},
        **{"spec_sha256": hashed("spec"), "data_sha256": hashed("data"), "wall_seconds": 1.5},
        **{"mast": "0.1.0", "commit": "1" * 40, "python": "3.11", "packages": {}, "host": "vm", "cpu": "x86_64"},
        **{"device": "cpu", "threads": 1, "processes": 1},
    }
    RunRecord.model_validate(values | changed).write(path)
    return path
