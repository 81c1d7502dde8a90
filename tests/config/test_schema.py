"""The JSON schema and the references of keys and of records are in step with the models."""

import copy
import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from support import ROOT

from mast.columns import ANALYSIS_COLUMNS
from mast.config.schema import formats_markdown, json_schema, markdown


def smoke() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "config/smoke.yaml").read_text(encoding="utf-8"))


def test_committed_schema_is_in_step() -> None:
    committed = json.loads((ROOT / "workflow/schemas/config.schema.json").read_text(encoding="utf-8"))
    assert committed == json_schema(), "run: make schema"


def test_reference_of_keys_is_in_step() -> None:
    readme = (ROOT / "config/README.md").read_text(encoding="utf-8")
    reference = readme.split("## Every key")[-1].strip()
    assert reference == markdown().strip(), "run: make schema"


def test_reference_of_records_is_in_step() -> None:
    page = (ROOT / "docs/use/formats.md").read_text(encoding="utf-8")
    assert page.split("\n## Records\n")[-1].strip() == formats_markdown().strip(), "run: make schema"


def test_page_of_formats_names_the_columns_of_the_analysis() -> None:
    page = (ROOT / "docs/use/formats.md").read_text(encoding="utf-8")
    for name, columns in ANALYSIS_COLUMNS.items():
        assert f"| `{name}.csv` | {', '.join(f'`{column}`' for column in columns)} |" in page


def test_every_key_of_the_reference_is_explained_or_its_model_is() -> None:
    for section in markdown().split("### ")[1:]:
        lines = section.splitlines()
        unexplained = [line for line in lines if line.startswith("| `") and line.endswith("|  |")]
        assert lines[2] or not unexplained, lines[0]


@pytest.mark.parametrize("name", ["config.yaml", "smoke.yaml"])
def test_schema_accepts_the_configurations(name: str) -> None:
    Draft202012Validator.check_schema(json_schema())
    values = yaml.safe_load((ROOT / "config" / name).read_text(encoding="utf-8"))
    Draft202012Validator(json_schema()).validate(values)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ((), "pretrian", {}),
        (("pretrain",), "epoch", 3),
        (("pretrain",), "epochs", "many"),
        (("runs", "mast"), "method", "mst"),
        (("datasets", "shapes"), "kind", "shape"),
        (("resources", "pretrain"), "gpus", -1),
    ],
)
def test_schema_refuses_what_the_models_refuse(section: tuple[str, ...], key: str, value: Any) -> None:
    values = inner = copy.deepcopy(smoke())
    for name in section:
        inner = inner[name]
    inner[key] = value
    assert not Draft202012Validator(json_schema()).is_valid(values)
