"""A policy accepts the right settings, and a new augmentation does not change the names of old results."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT
from support.extending import copied_checkout

from mast.augment.settings import FIFTEEN, SETS, PolicySpec
from mast.config.load import load_experiment
from mast.errors import MastError
from mast.files import sha256_json
from mast.settings import parse

HASHES = {
    "mast": "c72eb58c6fc74685c58e5ea5cf7d494f99dd320df2b1aa501b75c968e2fd7347",
    "vicreg": "231de10ec84d0728142189dc809e73fbb20ebacd7b851444d729c361820f3446",
}
"""Hashes of runs of config/config.yaml with fifteen augmentations, at version 2 of the code that trains."""

NEWCOMER = """from mast.augment.operations import Photometric


class Invert(Photometric):
    strength: float = 1.0

    @staticmethod
    def change(images):
        return 1 - images
"""

HASHES_OF_RUNS = """
import json
from pathlib import Path
from mast.augment.settings import NAMES, SETS
from mast.config.load import load_experiment
from mast.files import sha256_json
experiment = load_experiment(Path("config/config.yaml"))
specs = {run: experiment.pretrain_spec(run) for run in ("mast", "vicreg")}
hashes = {run: sha256_json(spec.model_dump(mode="json")) for run, spec in specs.items()}
lines = {run: spec.model_dump_json() for run, spec in specs.items()}
print(json.dumps({"hashes": hashes, "lines": lines, "names": NAMES, "mast15": SETS["mast15"]}))
"""


@pytest.mark.parametrize("run", HASHES)
def test_hashes_of_runs_change_with_the_version_alone(run: str) -> None:
    spec = load_experiment(ROOT / "config/config.yaml").pretrain_spec(run)
    assert sha256_json(spec.model_dump(mode="json")) == HASHES[run]


def test_an_augmentation_that_joins_changes_no_hash_no_command_line_and_no_set(tmp_path: Path) -> None:
    copy = copied_checkout(tmp_path / "copy").directory
    (copy / "mast/augment/operations/invert.py").write_text(NEWCOMER, encoding="utf-8")
    output = subprocess.run(
        [sys.executable, "-c", HASHES_OF_RUNS],
        cwd=copy,
        env={"PYTHONPATH": str(copy)},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    found = json.loads(output)
    assert found["hashes"] == HASHES
    experiment = load_experiment(ROOT / "config/config.yaml")
    assert found["lines"] == {run: experiment.pretrain_spec(run).model_dump_json() for run in HASHES}
    assert found["names"][-1] == "invert"
    assert tuple(found["mast15"]) == FIFTEEN


def test_settings_of_augmentations_that_are_not_used_are_left_out_of_the_spec() -> None:
    dumped = PolicySpec(augmentations=("flip", "crop")).pruned().model_dump(mode="json")
    assert set(dumped) == {"augmentations", *FIFTEEN}
    assert {name for name in FIFTEEN if dumped[name] is not None} == {"flip", "crop"}


@pytest.mark.parametrize("name", SETS)
def test_a_named_set_is_in_the_order_of_application(name: str) -> None:
    assert set(PolicySpec(augmentations=name).names) == set(SETS[name])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"augmentations": ["crop", "flop"]}, "config: augmentations.1: .*'crop', 'flip', 'rotate'.*got 'flop'"),
        ({"flop": {}}, "config: unknown key 'flop'; did you mean 'flip'?"),
        ({"shear_x": {"degrees": 3}}, "config: shear_x: unknown key 'degrees'; choose from: probability, factor"),
        ({"augmentations": ["crop"], "crop": None}, "config: 'crop' is in the set but its settings are null"),
        ({"flip": {"probability": 1.5}}, "config: flip.probability: .*less than or equal to 1"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(MastError, match=message):
        parse(PolicySpec, values, "config")
