"""The content of a table follows from the configuration."""

import copy

import pytest
from pydantic import TypeAdapter

from mast.config.experiment import Experiment, ProtocolSpec
from mast.config.tables import TableSpec, shown_setting, table_row
from mast.errors import MastError
from mast.protocols.detection import DetectionProtocol
from mast.settings import parse

CONFIG = {
    "name": "test",
    "datasets": {"shapes": {"kind": "shapes"}, "digits": {"kind": "digits"}},
    "pretrain": {"dataset": "shapes", "optimizer": {"lr": 0.005}},
    "runs": {
        "untrained": {"method": "untrained", "label": "random init"},
        "vicreg": {"policy": {"augmentations": ["jitter", "crop"]}, "epochs": 7},
        "mast": {"method": "mast", "mast": {"pairing": {"mixture": {"composed": 0.75, "single": 0.25}}}},
    },
    "protocols": {"linear": {"kind": "linear-lbfgs"}},
    "studies": {
        "linear": {
            "title": "Linear",
            "caption": "c",
            "protocol": "linear",
            "tasks": ["shapes", "digits"],
            "runs": ["mast", "vicreg", "untrained"],
            "settings": ["policy.augmentations", "mast.pairing.mixture", "optimizer.lr"],
        }
    },
}

_ROW = {"run": "mast", "label": "MAST", "method": "mast", "encoder": "resnet18", "dataset": "shapes"}
_VALUES = {"name": "t", "title": "T", "protocol": "p", "kind": "k", "tasks": ("shapes",), "rows": (_ROW,)}


def _experiment(**study: object) -> Experiment:
    config = copy.deepcopy(CONFIG)
    config["studies"]["linear"] |= study
    return parse(Experiment, config, "config.yaml")


def test_rows_are_the_runs_of_the_study_in_order() -> None:
    spec = _experiment().table_spec("linear")
    assert (spec.name, spec.protocol, spec.kind, spec.tasks) == (
        "linear",
        "linear",
        "linear-lbfgs",
        ("shapes", "digits"),
    )
    assert [row.label for row in spec.rows] == ["mast", "vicreg", "random init"]
    assert [row.epochs for row in spec.rows] == [100, 7, None]
    assert [list(row.settings.values()) for row in spec.rows] == [
        ["mast5", "composed 0.75, single 0.25", "0.005"],
        ["jitter+crop", "–", "0.005"],
        ["–", "–", "–"],
    ]


def test_passes_through_json() -> None:
    spec = _experiment().table_spec("linear")
    assert TableSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize("key", ["policy.augmentation", "policy", "mast.masks.kind.x", ""])
def test_unknown_setting_is_an_error_of_the_configuration(key: str) -> None:
    with pytest.raises(MastError, match=r"studies.linear.settings: .* is not a setting of a run") as error:
        _experiment(settings=[key])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("encoder.zero_init_residual", "yes"),
        ("optimizer.weight_decay", "1e-06"),
        ("policy.crop.scale", "0.08, 1"),
        ("mast.pairing.groups", "–"),
        ("epochs", "100"),
    ],
)
def test_shown_values(key: str, shown: str) -> None:
    assert shown_setting(_experiment().pretrain_spec("mast"), key) == shown


@pytest.mark.parametrize(
    ("protocol", "facts"),
    [
        ({"kind": "linear-lbfgs"}, (("top1",), True, "Accuracy")),
        ({"kind": "svm-voc"}, (("mAP",), True, "Accuracy")),
        ({"kind": "detection"}, (("AP", "AP50", "AP75"), False, "Average precision")),
    ],
)
def test_what_is_shown_is_said_by_the_protocol(
    protocol: dict[str, str], facts: tuple[tuple[str, ...], bool, str]
) -> None:
    found = TableSpec(**_VALUES, **TypeAdapter(ProtocolSpec).validate_python(protocol).table_facts())
    assert (found.shown, found.averaged, found.unit) == facts


@pytest.mark.parametrize(
    ("settings", "detector"),
    [
        ({}, "torchvision's Faster R-CNN with FPN, the encoder fine-tuned: a deviation"),
        ({"masks": True, "backbone": "frozen"}, "torchvision's Mask R-CNN with FPN, on a frozen encoder: a deviation"),
        (
            {"architecture": "c4", "score": "voc07"},
            "Faster R-CNN with its heads on the encoder's fourth stage (C4, after detectron2), the encoder fine-tuned. "
            "The score is VOC07's 11-point AP.",
        ),
    ],
)
def test_the_note_names_the_detector(settings: dict[str, object], detector: str) -> None:
    protocol = DetectionProtocol(kind="detection", **settings)
    assert protocol.note.startswith(f"The detector is {detector}")


def test_only_methods_that_learn_from_labels_are_set_apart() -> None:
    rows = parse(Experiment, CONFIG | {"runs": CONFIG["runs"] | {"supervised": {"method": "supervised"}}}, "c")
    assert [table_row(run, None, rows.pretrain_spec(run), ()).with_labels for run in rows.runs] == [False] * 3 + [True]
