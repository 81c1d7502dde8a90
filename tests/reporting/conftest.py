"""An experiment whose tables and figures are planned, and the metrics files that they are made from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.records import hashed

from mast.config.experiment import Experiment
from mast.files import write_sealed_json
from mast.settings import parse


@pytest.fixture
def experiment_of() -> Callable[[dict, dict], Experiment]:
    """The experiment with these studies and figures, and the runs `vicreg` and `mast`."""

    def build(studies: dict, figures: dict) -> Experiment:
        values = {
            "name": "test",
            "datasets": {"shapes": {"kind": "shapes"}},
            "pretrain": {"dataset": "shapes"},
            "runs": {"vicreg": {}, "mast": {"method": "mast"}},
            "protocols": {"linear": {"kind": "linear-lbfgs"}},
        }
        return parse(Experiment, values | {"studies": studies, "figures": figures}, "config.yaml")

    return build


@pytest.fixture
def metrics_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes one metrics file; keyword arguments replace its values. Hashes are given as the text that is hashed."""

    def write(run: str = "vicreg", seed: int = 0, task: str = "shapes", metrics: Any = None, **changed: Any) -> Path:
        content = {
            "format": 1,
            "protocol": "linear",
            "kind": "linear-lbfgs",
            "version": 1,
            "settings": {"strengths": 45},
            "task": task,
            "dataset": "shapes",
            "run": run,
            "seed": seed,
            "metrics": metrics or {"hue": {"top1": 50.0}},
            "counts": {"train": 6000, "test": 2000},
            "spec_sha256": f"spec-{run}",
            "data_sha256": f"task-{changed.get('dataset', 'shapes')}",
            "task_sha256": f"task-{task}",
            "encoder_sha256": f"encoder-{run}-{seed}",
            "seconds": 1.5,
        } | changed
        content |= {key: hashed(value) for key, value in content.items() if key.endswith("_sha256")}
        path = tmp_path / "metrics" / content["protocol"] / task / run / f"seed{seed}{changed.get('version', '')}.json"
        while path.exists():
            path = path.with_name("other-" + path.name)
        write_sealed_json(path, content)
        return path

    return write
