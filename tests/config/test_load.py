"""Every mistake in a configuration is one line that names the key and what would be right."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import ROOT

from mast.config.experiment import Experiment
from mast.config.load import load_experiment
from mast.data.readers import READERS
from mast.errors import MastError
from mast.protocols import PROTOCOLS as CATALOGUE
from mast.settings import parse

CONFIG = ROOT / "config"


def smoke() -> dict[str, Any]:
    return yaml.safe_load((CONFIG / "smoke.yaml").read_text(encoding="utf-8"))


def changed(keys: str, value: Any) -> dict[str, Any]:
    values = copy.deepcopy(smoke())
    *path, last = keys.split("/")
    inner = values
    for key in path:
        inner = inner[key]
    inner[last] = value
    return values


@pytest.mark.parametrize(
    ("keys", "value", "named"),
    [
        ("pretrian", {}, ["'pretrian'", "'pretrain'"]),
        ("pretrain/optimiser", {}, ["optimiser", "'optimizer'"]),
        ("runs/mast/mast", {"maks": {}}, ["runs.mast.mast", "'maks'", "'masks'"]),
        ("pretrain/epochs", "many", ["epochs", "integer", "'many'"]),
        ("pretrain/batch_size", 1, ["batch_size", "2", "got 1"]),
        ("runs/mast/epochs", None, ["runs.mast", "'epochs' is empty"]),
        ("runs/mast/policy", None, ["runs.mast", "'policy' is empty"]),
        ("pretrain/encoder/name", "resnet19", ["encoder.name", "unknown encoder", "'resnet1"]),
        ("pretrain/encoder/widths", [8], ["pretrain.encoder.widths.1", "required"]),
        ("seeds", [2**31], ["seeds", "less than"]),
        ("runs/mast/seeds", [3, 3], ["runs.mast.seeds", "twice"]),
        ("pretrain/optimizer/lr", -1, ["optimizer.lr", "greater than 0"]),
        ("pretrain/policy/augmentations", ["crop", "flop"], ["policy.augmentations", "'flop'"]),
        ("pretrain/dataset", "shape", ["dataset", "'shape'", "'shapes'"]),
        ("pretrain/dataset", "scenes", ["dataset", "'scenes'", "detection"]),
        ("datasets/shapes/kind", "shape", ["datasets.shapes", "'shape'", "'shapes'"]),
        ("datasets/shapes/trian", 3, ["datasets.shapes", "'trian'", "'train'"]),
        ("runs/mast/method", "mst", ["runs.mast.method", "'mst'", "'mast'"]),
        ("runs/mast/seeds", [-1], ["runs.mast.seeds", "-1"]),
        ("studies/linear/runs", ["mats"], ["studies.linear.runs", "'mats'", "'mast'"]),
        ("studies/linear/protocol", "liner", ["studies.linear.protocol", "'liner'", "'linear'"]),
        ("studies/linear/tasks", ["scenes"], ["studies.linear.tasks", "'scenes'", "'linear'"]),
        ("studies/linear/settings", ["policy.augmentation"], ["settings", "'policy.augmentations'"]),
        ("figures/masks", ["mats"], ["figures.masks", "'mats'", "'mast'"]),
        ("figures/detections", ["vicreg"], ["figures.detections", "no study under a detection protocol"]),
        ("studies/detection/seeds", [7], ["figures.detections", "'detection'", "no seed of run 'untrained'"]),
        ("protocols/knn/k", 0, ["protocols.knn", "k", "1"]),
        ("resources/pretrain/threads", 0, ["resources.pretrain.threads", "1"]),
        ("runs/bad name", {}, ["runs", "bad name"]),
        ("results", "/tmp/{x}", ["results", "{x}"]),
    ],
)
def test_mistake_is_one_line_that_names_the_key(keys: str, value: Any, named: list[str]) -> None:
    with pytest.raises(MastError) as error:
        parse(Experiment, changed(keys, value), "config.yaml")
    message = str(error.value)
    assert message.startswith("config.yaml: ")
    assert "\n" not in message
    for word in named:
        assert word in message


KINDS = f"choose from: {', '.join(map(repr, READERS))}"
PROTOCOLS = f"choose from: {', '.join(map(repr, CATALOGUE))}"
NAME = "a name has letters, digits, _ . and -, and begins with a letter or digit"
INTEGER = "Input should be a valid integer, unable to parse string as an integer"
MAPPING = "Input should be a valid dictionary: keys with values"


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        ("datasets/shapes", {"size": 16}, f"datasets.shapes.kind: Field required; {KINDS}"),
        ("datasets/shapes", {"knd": "x"}, f"datasets.shapes.kind: Field required; is 'knd' meant for it? {KINDS}"),
        (
            "datasets/shapes/kind",
            "shape",
            f"datasets.shapes.kind: 'shape' is not known; did you mean 'shapes'? {KINDS}",
        ),
        ("datasets/shapes/kind", True, f"datasets.shapes.kind: True is not known; {KINDS}"),
        ("datasets/shapes/kind", [], f"datasets.shapes.kind: [] is not known; {KINDS}"),
        ("protocols/knn/kind", "kn", f"protocols.knn.kind: 'kn' is not known; did you mean 'knn'? {PROTOCOLS}"),
        ("datasets/shapes", None, f"datasets.shapes: {MAPPING} (got None)"),
        (
            "datasets/all",
            {"kind": "digits"},
            "datasets.all: tables use this name for all tasks together; choose another",
        ),
        ("datasets", [], f"datasets: {MAPPING}"),
        ("runs/mast", "mast", f"runs.mast: {MAPPING} (got 'mast')"),
        ("pretrain/optimizer", [], f"pretrain.optimizer: {MAPPING}"),
        ("runs/bad name", {}, f"runs.bad name: {NAME} (got 'bad name')"),
        (
            "results",
            "a{b",
            "results: a directory of results has letters, digits, spaces and _ . / - in its path (got 'a{b')",
        ),
        ("studies/linear/runs", "mast", "studies.linear.runs: Input should be a list (got 'mast')"),
        ("studies/linear/runs", [], "studies.linear.runs: should have at least 1 entry, not 0"),
        (
            "studies/linear/runs",
            [True],
            "studies.linear.runs.0: Input should be a valid string (got True); put text into quotes",
        ),
        ("pretrain/encoder/widths", [8] * 5, "pretrain.encoder.widths: should have at most 4 entries, not 5"),
        (
            "pretrain/optimizer/name",
            "adam",
            "pretrain.optimizer.name: Input should be 'lars', 'sgd' or 'adamw' (got 'adam'); did you mean 'adamw'?",
        ),
        (
            "datasets/more",
            {"kind": "voc", "root": "x", "train": ["2007"]},
            "datasets.more.train.0: an image set is <year>/<set>, such as 2007/trainval (got '2007')",
        ),
        (
            "pretrain/epochs",
            "x" * 300,
            f"pretrain.epochs: {INTEGER} (got '{'x' * 79}…)",
        ),
    ],
)
def test_messages_know_nothing_of_how_settings_are_read(keys: str, value: Any, message: str) -> None:
    with pytest.raises(MastError) as error:
        parse(Experiment, changed(keys, value), "c")
    assert str(error.value) == f"c: {message}"


PLACES = (
    *("datasets", "datasets/shapes", "datasets/shapes/kind", "datasets/shapes/train", "pretrain", "pretrain/policy"),
    *("pretrain/policy/augmentations", "pretrain/encoder", "pretrain/encoder/name", "pretrain/encoder/widths"),
    *("runs", "runs/mast", "runs/mast/mast", "runs/mast/seeds", "protocols", "protocols/knn", "protocols/detection"),
    *("studies", "studies/linear", "studies/linear/metric", "studies/linear/compare", "figures", "figures/losses"),
    *("resources", "resources/pretrain", "seeds", "name", "results", "published", "scale", "changed_data"),
)
INTERNALS = ("discriminator", "tag", "tuple", "Tuple", "instance", "pattern", "validation", "Extra", "pydantic", "Spec")


@pytest.mark.parametrize("value", [True, 3, 0.5, "x y", [], [3], {}, {"x": 1}, {3: 1}, [[]], b"x"])
def test_no_message_names_internals(value: Any) -> None:
    for keys in PLACES:
        try:
            parse(Experiment, changed(keys, value), "c")
        except MastError as error:
            said = str(error).removeprefix("c: ").split("choose from")[0]
            assert "\n" not in said and not any(word in said for word in INTERNALS), (keys, said)


@pytest.mark.parametrize("key", ["datasets", "runs"])
def test_missing_section_is_named(key: str) -> None:
    values = smoke()
    del values[key]
    with pytest.raises(MastError, match=rf"^c: {key}: Field required$"):
        parse(Experiment, values, "c")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"runs: [", "not valid YAML"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"", "dictionary"),
        (b"- a\n- b\n", "dictionary"),
    ],
)
def test_file_that_is_no_mapping(tmp_path: Path, content: bytes, named: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(content)
    with pytest.raises(MastError, match=named) as error:
        load_experiment(file)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MastError, match=r"absent\.yaml: cannot be read"):
        load_experiment(tmp_path / "absent.yaml")
