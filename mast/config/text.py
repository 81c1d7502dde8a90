"""Read YAML as plain values, and refuse what YAML allows but nobody intends.

Refused are duplicate keys, aliases that grow without bound, and text that YAML 1.1 reads as something else.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from mast.errors import MastError

MOST_VALUES = 100_000
"""Maximum number of values of a configuration; each alias counts as often as it is used."""

_QUOTE = "put text into quotes"


def read_yaml(path: Path) -> Any:
    """Read a YAML (or JSON) file.

    Raises:
        MastError: the file is missing, not UTF-8 or not YAML; a key occurs twice, or is not text; a value is read as a
            number to another base than ten, or as a date; aliases refer to themselves or expand to more than
            MOST_VALUES values; lists or keys are nested too deeply.
    """
    try:
        loader = yaml.SafeLoader(Path(path).read_text(encoding="utf-8"))
        node = loader.get_single_node()
        _count(node, {}, path)
        if node is not None:
            _check_scalars(node, loader, path, set())
        return None if node is None else loader.construct_document(node)
    except (OSError, UnicodeDecodeError) as error:
        raise MastError(f"{path}: cannot be read ({error})") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:  # values like !!int x, keys that are lists
        raise MastError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise MastError(f"{path}: not valid YAML: nested too deeply") from None


def _count(node: yaml.Node | None, known: dict[int, int], path: Path) -> int:
    """Return the number of values below a node; `known` holds counted nodes, and 0 for those being counted."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) in known:
        if known[id(node)] == 0:
            raise MastError(f"{path}: line {node.start_mark.line + 1}: an alias refers to itself; write it out")
        return known[id(node)]
    known[id(node)] = 0
    children = node.value
    if isinstance(node, yaml.MappingNode):
        _require_unique_keys(node, path)
        children = [value for _, value in node.value]
    total = 1 + sum(_count(child, known, path) for child in children)
    if total > MOST_VALUES:
        raise MastError(f"{path}: line {node.start_mark.line + 1}: expands to more than {MOST_VALUES:,} values")
    known[id(node)] = total
    return total


def _require_unique_keys(node: yaml.MappingNode, path: Path) -> None:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            line = key.start_mark.line + 1
            if key.value in lines:
                raise MastError(f"{path}: line {line}: key {key.value!r} is in line {lines[key.value]} already")
            lines[key.value] = line


def _check_scalars(node: yaml.Node, loader: yaml.SafeLoader, path: Path, seen: set[int]) -> None:
    """Raise MastError if unquoted text becomes something that few expect (YAML 1.1, as PyYAML reads it)."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode) and node.style is None:
        _check_plain(node, loader, path)
    for child in node.value if isinstance(node, yaml.SequenceNode) else ():
        _check_scalars(child, loader, path, seen)
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        tag = _tag(key)
        if isinstance(key, yaml.ScalarNode) and key.style is None and tag not in ("str", "merge"):
            read = loader.construct_object(key)
            raise MastError(f"{_line(key, path)}: the key {key.value} is read as {read!r}; {_QUOTE}: '{key.value}'")
        _check_scalars(value, loader, path, seen)


def _check_plain(node: yaml.ScalarNode, loader: yaml.SafeLoader, path: Path) -> None:
    text, tag, place = node.value, _tag(node), _line(node, path)
    if tag in ("int", "float") and ":" in text:
        value = loader.construct_object(node)
        minutes = value / 60 if text.count(":") > 1 else value
        raise MastError(
            f"{place}: {text} is read as the number {value:g}, to the base 60; write the intended number (of "
            f"minutes {minutes:g}), or {_QUOTE}: '{text}'"
        )
    if tag == "int" and re.fullmatch(r"[-+]?0[0-7_]+", text):
        decimal = int(text.replace("_", ""))
        raise MastError(
            f"{place}: {text} is read as {loader.construct_object(node)}, to the base 8; write {decimal}, or {_QUOTE}: "
            f"'{text}'"
        )
    if tag == "timestamp":
        raise MastError(f"{place}: {text} is read as a date; {_QUOTE}: '{text}'")


def _tag(node: yaml.Node) -> str:
    return node.tag.removeprefix("tag:yaml.org,2002:")


def _line(node: yaml.Node, path: Path) -> str:
    return f"{path}: line {node.start_mark.line + 1}"
