"""Load a configuration file as a validated experiment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mast.config.experiment import Experiment
from mast.config.text import read_yaml
from mast.settings import parse


def load_experiment(path: Path, changes: Mapping[str, Any] | None = None) -> Experiment:
    """Read and validate a configuration file; `changes` replace its top-level keys, as Snakemake's `--config` does.

    Raises:
        MastError: the file is missing or is not YAML, or a key or value is wrong; one line that names it.
    """
    values = read_yaml(path)
    if isinstance(values, dict):
        values = {**values, **(changes or {})}
    return parse(Experiment, values, str(path))
