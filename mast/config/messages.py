"""Validation errors as one line that names the key."""

from collections.abc import Mapping, Sequence
from typing import Any


def one_line(errors: Sequence[Mapping[str, Any]], values: Any) -> str:
    """The first of pydantic's errors on `values`: `<dotted key>: <what is wrong> (got <value>)`."""
    first = max(errors, key=lambda entry: len(entry["loc"]))  # in a union, the branch that got furthest
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
        places = range(len(values)) if isinstance(values, list) else values if isinstance(values, dict) else ()
        if part in places:
            values = values[part]
        elif not (missing and depth == len(location) - 1):
            continue
        keys.append(str(part) if str(part).isprintable() else repr(part))
    return keys
