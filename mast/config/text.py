"""YAML → plain values, refusing what YAML allows and nobody wants: a key twice, aliases that grow without bound."""

from pathlib import Path
from typing import Any

import yaml

from mast.errors import MastError

MOST_VALUES = 100_000
"""Values of a configuration, each alias counted as often as it is used."""


def read_yaml(path: Path) -> Any:
    """Read a YAML (or JSON) file.

    Raises:
        MastError: the file is missing, not UTF-8 or not YAML; a key stands twice; aliases refer to themselves or stand
            for more than MOST_VALUES values; lists or keys are nested too deeply.
    """
    try:
        loader = yaml.SafeLoader(Path(path).read_text(encoding="utf-8"))
        node = loader.get_single_node()
        _count(node, {}, path)
        return None if node is None else loader.construct_document(node)
    except (OSError, UnicodeDecodeError) as error:
        raise MastError(f"{path}: cannot be read ({error})") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:  # values like !!int x, keys that are lists
        raise MastError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise MastError(f"{path}: not valid YAML: nested too deeply") from None


def _count(node: yaml.Node | None, known: dict[int, int], path: Path) -> int:
    """Number of values below a node; `known` holds those that are counted, 0 while they are being counted."""
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
        raise MastError(f"{path}: line {node.start_mark.line + 1}: stands for more than {MOST_VALUES:,} values")
    known[id(node)] = total
    return total


def _require_unique_keys(node: yaml.MappingNode, path: Path) -> None:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            line = key.start_mark.line + 1
            if key.value in lines:
                raise MastError(f"{path}: line {line}: key {key.value!r} stands in line {lines[key.value]} already")
            lines[key.value] = line
