"""An augmentation is one file: the one that docs/extending.md shows, put beside a copy of the package, trains."""

import json
from pathlib import Path

import yaml
from safetensors import safe_open
from support.additions import extended, shown, small

from mast.files import WEIGHTS_METADATA
from mast.records import HeadsMetadata, RunRecord
from mast.results import Results

SECTION = "Add an augmentation"


def test_one_file_and_its_name_in_a_configuration_are_enough(tmp_path: Path) -> None:
    [code], [settings] = shown(SECTION, "python"), shown(SECTION, "yaml")
    configuration = small()
    configuration["pretrain"] |= yaml.safe_load(settings)["pretrain"]
    project = extended(tmp_path / "copy", configuration, {"mast/augment/operations/gamma.py": code})
    run = project.snakemake("pretrain", "--configfile", "config/extended.yaml")
    assert run.returncode == 0, run.stdout[-3000:]
    trained = Results(project.directory / "results").run("shapes", "vicreg", 0)
    policy = RunRecord.read(trained.record).spec["policy"]
    assert policy["gamma"] == {"probability": 0.2, "exponent": [0.5, 2.0]}
    with safe_open(trained.heads, "pt") as heads:
        metadata = json.loads(heads.metadata()[WEIGHTS_METADATA])
    assert HeadsMetadata.of(metadata, str(trained.heads)).augmentations == ["crop", "gamma"]
