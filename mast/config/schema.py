"""The configuration's JSON schema and reference, and the reference of records, generated from the models."""

import json
from typing import Any

from mast.config.experiment import Experiment
from mast.config.pretrain import PretrainSpec
from mast.records import RECORDS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration file as written: shared settings in `pretrain`, differences in `runs`.

    Names that must be defined elsewhere in the same file (a study's runs, a run's dataset) are checked only by
    `mast validate`; a JSON schema cannot express them.
    """
    schema = Experiment.model_json_schema()
    definitions = schema["$defs"] | PretrainSpec.model_json_schema(ref_template="#/$defs/{model}")["$defs"]
    run = definitions["RunSpec"]
    run.pop("required")  # keys that all runs share may be in `pretrain`
    shared = {key: value for key, value in run["properties"].items() if key in PretrainSpec.model_fields}
    pretrain = schema["properties"]["pretrain"]
    pretrain.update(properties=shared, additionalProperties=False)
    runs = schema["properties"]["runs"]["patternProperties"]
    runs.update({name: {"anyOf": [run_as_written, {"type": "null"}]} for name, run_as_written in runs.items()})
    return {"$schema": DIALECT, **schema, "$defs": definitions}


def markdown() -> str:
    """Return one table of keys for each model, in the order in which the keys refer to them."""
    schema = json_schema()
    definitions = schema.pop("$defs")
    return "\n".join([_section("The file", schema), *_sections_below(schema, definitions)])


def formats_markdown() -> str:
    """Return one table of keys for each record (docs/use/formats.md)."""
    sections = []
    for record in RECORDS:
        schema = record.model_json_schema()
        definitions = schema.pop("$defs", {})
        sections += [_section(record.__name__, schema), *_sections_below(schema, definitions)]
    return "\n".join(dict.fromkeys(sections))


def _sections_below(model: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    """Return a section for each model that a model refers to, directly or not, in that order."""
    sections, seen, waiting = [], set(), _references(model)
    while waiting:
        name = waiting.pop(0)
        if name not in seen:
            seen.add(name)
            sections.append(_section(name, definitions[name]))
            waiting = _references(definitions[name]) + waiting
    return sections


def _section(title: str, model: dict[str, Any]) -> str:
    required = model.get("required", ())
    rows = [
        f"| `{key}` | {_kind(value)} | {_default(key, value, required)} | {_sentence(value.get('description', ''))} |"
        for key, value in model["properties"].items()
    ]
    description = _sentence(model.get("description", ""))
    head = (f"### {title}", "", description, "", "| key | value | default | meaning |", "|---|---|---|---|")
    return "\n".join((*head, *rows, ""))


def _sentence(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _default(key: str, value: dict[str, Any], required: Any) -> str:
    if key in required:
        return "**required**"
    if "default" not in value:
        return "**required** here or in `pretrain`"
    default = value["default"]
    if isinstance(default, dict) and default and "$ref" in str(value):
        return "see there"
    return f"`{json.dumps(default, ensure_ascii=False)}`"


def _kind(value: dict[str, Any]) -> str:
    """Describe the values that a JSON schema node allows."""
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    for union in ("anyOf", "oneOf"):
        if union in value:
            return " or ".join(dict.fromkeys(_kind(branch) for branch in value[union]))
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{choice}`" for choice in value["enum"])
    if value.get("type") == "array":
        return _array(value)
    if value.get("type") == "object":
        values = [*value.get("patternProperties", {}).values(), value.get("additionalProperties")]
        return f"mapping of {_kind(values[0])}" if isinstance(values[0], dict) else "mapping"
    return f"{value.get('type', 'any')}{_bounds(value)}"


def _array(value: dict[str, Any]) -> str:
    if "prefixItems" in value:
        kinds = [_kind(item) for item in value["prefixItems"]]
        return f"{len(kinds)} × {kinds[0]}" if len(set(kinds)) == 1 else f"[{', '.join(kinds)}]"
    return f"list of {_kind(value['items'])}"


def _bounds(value: dict[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return "".join(f" {sign} {value[bound]:g}" for bound, sign in signs.items() if bound in value)


def _references(node: Any) -> list[str]:
    """Return the names of the models that a schema node refers to, in order."""
    if isinstance(node, dict):
        own = [node["$ref"].rsplit("/", 1)[-1]] if "$ref" in node else []
        return own + [name for key, value in node.items() if key != "default" for name in _references(value)]
    if isinstance(node, list):
        return [name for value in node for name in _references(value)]
    return []
