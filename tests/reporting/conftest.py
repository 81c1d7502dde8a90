import json

import pytest

from mast.config import Experiment
from mast.settings import parse


@pytest.fixture
def experiment_of():
    """The experiment with these studies and figures, and the runs `vicreg` and `mast`."""

    def build(studies, figures):
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
def metrics_file(tmp_path):
    """Writes one metrics file as docs/design.md states it; keyword arguments replace its values."""

    def write(run="vicreg", seed=0, task="shapes", metrics=None, **changed):
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
        path = tmp_path / "metrics" / content["protocol"] / task / run / f"seed{seed}{changed.get('version', '')}.json"
        while path.exists():
            path = path.with_name("other-" + path.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        return path

    return write
