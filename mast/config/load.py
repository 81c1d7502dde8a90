"""From YAML or JSON text to validated models, with errors of one line."""

import json
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from mast.config.experiment import Experiment
from mast.errors import MastError

Spec = TypeVar("Spec")


def load_experiment(path: Path) -> Experiment:
    """Read and validate a configuration file.

    Raises:
        MastError: the file is missing or is not YAML, or a key or value is wrong; one line that names it.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise MastError(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise MastError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
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
        raise MastError(f"{source}: {_one_line(error, values)}") from None


def _one_line(error: ValidationError, values: Any) -> str:
    first = max(error.errors(), key=lambda entry: len(entry["loc"]))  # in a union, the branch that got furthest
    message = first["msg"].removeprefix("Value error, ")
    where = ".".join(_keys(first["loc"], values, first["type"] == "missing"))
    shown = (
        "" if isinstance(first["input"], dict | list) or first["type"] == "missing" else f" (got {first['input']!r})"
    )
    return (f"{where}: " if where else "") + message + shown


def _keys(location: tuple[int | str, ...], values: Any, missing: bool) -> list[str]:
    """The parts of a pydantic location that are keys of the input: tags of unions are left out."""
    keys = []
    for depth, part in enumerate(location):
        if (isinstance(values, dict) and part in values) or (isinstance(values, list) and isinstance(part, int)):
            values = values[part]
        elif not (missing and depth == len(location) - 1):
            continue
        keys.append(str(part))
    return keys
