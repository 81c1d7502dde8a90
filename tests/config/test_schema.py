"""The JSON schema and the references of keys and of records are in step with the models."""

import copy
import json
from collections.abc import Callable
from typing import Any, get_args

import pytest
import yaml
from jsonschema import Draft202012Validator
from support import ROOT

from mast.augment.settings import SETS
from mast.columns import ANALYSIS_COLUMNS
from mast.config.experiment import Experiment
from mast.config.schema import formats_markdown, json_schema, markdown
from mast.settings import StrictModel


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


def rows(reference: str) -> list[tuple[str, str, str, str]]:
    """Section, key, default and meaning of every row of a reference."""
    found = []
    for section in reference.split("### ")[1:]:
        title, *lines = section.splitlines()
        cells = [line.removeprefix("|").removesuffix("|").split(" | ") for line in lines if line.startswith("| `")]
        found += [(title, own[0].strip(" `"), own[2], " | ".join(own[3:]).strip()) for own in cells]
    return found


@pytest.mark.parametrize("reference", [markdown, formats_markdown])
def test_no_key_of_a_reference_is_without_a_meaning(reference: Callable[[], str]) -> None:
    found = rows(reference())
    assert len(found) > 60
    assert [(title, key) for title, key, _, meaning in found if not meaning] == []


def models(annotation: Any = Experiment) -> set[type[StrictModel]]:
    """All models of settings that an annotation refers to, directly or not."""
    if isinstance(annotation, type) and issubclass(annotation, StrictModel):
        parts = [field.annotation for field in annotation.model_fields.values()]
        return {annotation}.union(*map(models, parts))
    return set().union(*map(models, get_args(annotation)))


MODELS = {"The file" if model is Experiment else model.__name__: model for model in models()}

SPLIT = {"images": "images", "annotations": "file.json"}
SMALL = {
    "The file": {"datasets": {"digits": {"kind": "digits"}}, "runs": {"mine": {"dataset": "digits"}}},
    "RunSpec": {"dataset": "digits"},
    "Normalisation": {"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]},
    "Study": {"title": "Mine", "protocol": "knn", "tasks": ["digits"], "runs": ["mine"]},
    "Shards": {"train": "train-*"},
    "CocoData": {"train": SPLIT, "test": SPLIT},
    "PublicData": {"root": "data", "source": "cifar10"},
    "TableData": {"root": "data", "file": "list.csv"},
    **{f"{kind}Data": {"root": "data"} for kind in ("Arrow", "Folder", "Parquet", "Voc", "VocLabels", "WebDataset")},
}
"""Section of the reference → values of its required keys."""


@pytest.mark.parametrize("title", sorted({title for title, _, default, _ in rows(markdown()) if default[0] != "*"}))
def test_a_default_of_the_reference_that_is_written_down_changes_nothing(title: str) -> None:
    model, required = MODELS[title], dict(SMALL.get(title, {}))
    kind = model.model_fields.get("kind")
    if kind is not None and kind.is_required():
        required["kind"] = get_args(kind.annotation)[0]
    schema = json_schema()
    section = schema if title == "The file" else schema["$defs"][title]
    for _, key, default, _ in [row for row in rows(markdown()) if row[0] == title and row[2][0] != "*"]:
        whole = default == "see there"
        value = section["properties"][key]["default"] if whole else yaml.safe_load(default.strip("`"))
        assert model.model_validate(required | {key: value}) == model.model_validate(required), key


def test_the_one_required_key_that_runs_may_share_says_so() -> None:
    assert ("RunSpec", "dataset", "**required** here or in `pretrain`") in [row[:3] for row in rows(markdown())]


def test_the_reference_names_what_every_set_of_augmentations_holds() -> None:
    (meaning,) = [meaning for *place, _, meaning in rows(markdown()) if place == ["PolicySpec", "augmentations"]]
    for name, members in SETS.items():
        assert f"`{name}`: {', '.join(members) or 'no augmentation'}" in meaning


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
