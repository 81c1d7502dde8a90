"""A metrics file's hash covers the right keys."""

import json
from pathlib import Path

from support.records import hashed

from mast.files import SEAL, read_json, sha256_json, write_sealed_json
from mast.records import MetricsFile

STORED = {
    **{"format": 1, "protocol": "linear", "kind": "linear-lbfgs", "version": 1, "settings": {"strengths": 45}},
    **{"task": "shapes", "dataset": "shapes", "run": "mast", "seed": 0, "counts": {"train": 6000, "test": 2000}},
    "metrics": {"hue": {"top1": 12.25, "AP": None}},
    **{key: hashed(key) for key in ("spec_sha256", "data_sha256", "task_sha256", "encoder_sha256")},
    "seconds": 1.5,
}


def test_result_is_all_that_is_stored_but_times_and_commits(tmp_path: Path) -> None:
    file = tmp_path / "seed0.json"
    for more in ({}, {"details": {"subset_sha256": None}}, {"commits": ["1" * 40], "seconds": 9.0}):
        write_sealed_json(file, STORED | more)
        shown = {key: value for key, value in read_json(file).items() if key not in ("seconds", "commits", SEAL)}
        assert MetricsFile.read(file).result_sha256() == sha256_json(shown)
        MetricsFile.read(file).write(tmp_path / "again.json")
        assert json.loads((tmp_path / "again.json").read_text()) == json.loads(file.read_text())
