"""From YAML or JSON text to validated models, with errors of one line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from mast.config.experiment import Experiment
from mast.config.messages import one_line
from mast.config.text import read_yaml
from mast.errors import MastError

Spec = TypeVar("Spec")


def load_experiment(path: Path, changes: Mapping[str, Any] | None = None) -> Experiment:
    """Read and validate a configuration file; `changes` replace its top-level keys, as Snakemake's `--config` does.

    Raises:
        MastError: the file is missing or is not YAML, or a key or value is wrong; one line that names it.
    """
    values = read_yaml(path)
    if isinstance(values, dict):
        values = {**values, **(changes or {})}
    return parse(Experiment, values, str(path))


def parse_spec(kind: type[Spec], text: str) -> Spec:
    """Read one spec from the JSON that a rule passes on the command line.

    Raises:
        MastError: the text is not JSON, or a key or value is wrong.
    """
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise MastError(f"--spec: not valid JSON ({error})") from None
    return parse(kind, values, "--spec")


def parse(kind: type[Spec], values: Any, source: str) -> Spec:
    """Validate `values` as a model or union of models; `source` begins the message of an error.

    Raises:
        MastError: `<source>: <dotted key>: <what is wrong>`, for the first of the errors.
    """
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        raise MastError(f"{source}: {one_line(error.errors(), values)}") from None
