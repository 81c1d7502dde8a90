"""Settings without their stated effect are named when the workflow is planned, with what would be right."""

import re
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from mast.cli import main
from mast.config.experiment import Experiment, Stages
from mast.config.load import load_experiment
from mast.config.pretrain import PretrainSpec
from mast.errors import MastError
from mast.preflight.doubts import ON_CPU, doubts, of_run
from mast.preflight.experiment import check_experiment
from mast.pretraining.optim import learning_rate
from mast.protocols import STAGES
from mast.protocols.detection import FIRST_FALL
from mast.settings import parse

CONFIG = """
name: mine
datasets: {shapes: {kind: shapes, train: 48, test: 10, size: 16}}
pretrain: {dataset: shapes, batch_size: 8, epochs: 5}
runs: {mine: {}}
protocols: {knn: {kind: knn, k: 2}}
studies: {knn: {title: '', protocol: knn, tasks: [shapes], runs: [mine]}}
"""


def experiment(pretrain: dict | None = None, **sections: Any) -> Experiment:
    """48 training images; a warm-up that fits, unless `pretrain` has another optimiser."""
    shared = {"dataset": "shapes", "batch_size": 8, "epochs": 5, "optimizer": {"warmup_epochs": 1}}
    values = {
        "name": "mine",
        "results": "nowhere",
        "datasets": {
            "shapes": {"kind": "shapes", "train": 48, "test": 10, "size": 16},
            "scenes": {"kind": "shapes-scenes", "train": 12, "test": 4, "size": 48},
        },
        "pretrain": shared | (pretrain or {}),
        "runs": {"mine": {}},
        "protocols": {"knn": {"kind": "knn", "k": 2}, "boxes": {"kind": "detection"}},
        "studies": {"knn": {"title": "", "protocol": "knn", "tasks": ["shapes"], "runs": ["mine"]}},
    }
    return parse(Experiment, values | sections, "test")


def found(experiment: Experiment) -> list[str]:
    return doubts(experiment, {"shapes": 48, "scenes": 12})


def test_how_heads_crop_files_has_no_effect_on_arrays() -> None:
    heads = {"kind": "linear-sgd", "crop": {"interpolation": "bilinear"}}
    study = {"title": "", "protocol": "heads", "tasks": ["shapes"], "runs": ["mine"]}
    (line,) = found(experiment(protocols={"heads": heads}, studies={"heads": study}))
    assert line.startswith("protocols.heads.crop.interpolation: has no effect: 'shapes' is prepared into arrays;")


@pytest.mark.parametrize("stage", ON_CPU)
def test_gpus_of_a_stage_that_uses_none_are_named(stage: str) -> None:
    line = "its jobs run on the CPU, and a cluster would reserve 2 for each; leave it out"
    assert found(experiment(resources={stage: {"gpus": 2}})) == [f"resources.{stage}.gpus: has no effect: {line}"]
    assert found(experiment(resources={stage: {"gpus": 0}})) == []


def test_the_commands_of_every_other_stage_are_given_their_gpus() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "workflow/rules").glob("*.smk")))
    given: dict[str, bool] = {}
    for rule in re.split(r"^ *rule\b", text, flags=re.MULTILINE)[1:]:
        named = re.search(r"threads: stage_threads\((.+)\)", rule)
        for stage in _stages(named[1]) if named else ():
            given[stage] = "--gpus {resources.gpus}" in rule
    assert {stage for stage, own in given.items() if not own} == set(ON_CPU)
    assert given.keys() == Stages.model_fields.keys()


def _stages(argument: str) -> list[str]:
    """The stages that an argument of `stage_threads` in a rule stands for."""
    if argument == "STAGES[reads]":
        return [STAGES["images"], STAGES["scenes"]]
    return [STAGES["features"]] if argument == 'STAGES["features"]' else [argument.strip('"')]


def test_settings_that_do_what_they_say_are_not_doubted() -> None:
    assert found(experiment()) == []


@pytest.mark.parametrize("config", sorted((ROOT / "config").rglob("*.yaml")), ids=lambda path: path.stem)
def test_configurations_that_come_with_the_project_are_not_doubted(config: Path) -> None:
    if config.name == "published.yaml":
        return
    loaded = load_experiment(config)
    assert doubts(loaded, {name: spec.train_count for name, spec in loaded.datasets.items()}) == []


@pytest.mark.parametrize(
    ("pretrain", "line"),
    [
        (
            {"optimizer": {}},
            "pretrain.optimizer.warmup_epochs: 10 is no less than epochs (5): the learning rate ends at 50 % of its "
            "peak and never falls; choose less than epochs, such as 0.5",
        ),
        (
            {"optimizer": {"warmup_epochs": 5}},
            "pretrain.optimizer.warmup_epochs: 5 is no less than epochs (5): the learning rate ends at its peak and "
            "never falls; choose less than epochs, such as 0.5",
        ),
        (
            {"log_every": 31},
            "pretrain.log_every: 31 is more than the 30 steps of the training: one line is logged, at its end; choose "
            "3 or so",
        ),
        (
            {"policy": {"crop": {"interpolation": "bicubic"}}},
            "pretrain.policy.crop.interpolation: has no effect: 'shapes' is prepared into arrays; leave it out, or "
            "choose `storage: index`",
        ),
        (
            {"checkpoint_minutes": 120},
            "pretrain.checkpoint_minutes: 120 is no less than resources.pretrain.runtime (120 minutes): a job "
            "that is killed unasked keeps nothing; choose less",
        ),
        (
            {"optimizer": {"warmup_epochs": 1, "name": "adamw", "trust": 0.01}},
            "pretrain.optimizer.trust: has no effect: it would have one if optimizer.name is lars; leave it out",
        ),
        (
            {"optimizer": {"warmup_epochs": 1, "name": "adamw", "momentum": 0.5}},
            "pretrain.optimizer.momentum: has no effect: it would have one if optimizer.name is lars or sgd; leave it "
            "out",
        ),
        (
            {"encoder": {"widths": [8, 8, 8, 8]}},
            "pretrain.encoder.widths: has no effect: it would have one if encoder.name is resnet-narrow; leave it out",
        ),
        (
            {"policy": {"augmentations": ["crop"], "blur": {"probability": 0.3}}},
            "pretrain.policy.blur.probability: has no effect: policy.blur is not in policy.augmentations; leave it out",
        ),
        (
            {"mast": {"masks": {"keep": 0.5}}},
            "pretrain.mast.masks.keep: has no effect: vicreg does not read mast; leave it out",
        ),
        (
            {"method": "mast", "mast": {"masks": {"kind": "none", "keep": 0.5}}},
            "pretrain.mast.masks.keep: has no effect: it would have one if mast.masks.kind is not none; leave it out",
        ),
        (
            {"method": "mast", "mast": {"masks": {"sparsity": 0.5}}},
            "pretrain.mast.masks.sparsity: has no effect: it would have one if mast.masks.kind is sigmoid; leave it "
            "out",
        ),
        (
            {"method": "mast", "mast": {"pairing": {"mixture": {"single": 1}, "subset_probability": 0.5}}},
            "pretrain.mast.pairing.subset_probability: has no effect: it would have one if mast.pairing.mixture has "
            "subset; leave it out",
        ),
    ],
)
def test_a_contradiction_is_one_line(pretrain: dict, line: str) -> None:
    assert found(experiment(pretrain)) == [line]


def test_a_setting_of_one_run_is_named_there_and_of_many_where_one_uses_it_not_at_all() -> None:
    masks = {"mast": {"masks": {"keep": 0.5}}}
    both = {"mine": {}, "other": {"method": "mast"}}
    assert found(experiment(masks, runs=both, figures={"losses": ["other"]})) == []
    assert found(experiment(runs={"mine": masks}))[0].startswith("runs.mine.mast.masks.keep: has no effect")


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"warmup_steps": 9, "epochs": 2, "batch_size": 2},
            "warmup_steps: 9 is no less than the 9 steps until the learning rate falls on 'scenes': it never reaches "
            "lr; choose 0 or so",
        ),
        (
            {"warmup_steps": 60, "steps": 100, "decay_steps": [50, 90]},
            "warmup_steps: 60 is no less than the 50 steps until the learning rate falls on 'scenes': it never reaches "
            "lr; choose 5 or so",
        ),
        (
            {"warmup_steps": 1, "steps": 100, "decay_steps": [50, 100]},
            "decay_steps: training on 'scenes' ends after 100 steps, before 100: the learning rate does not fall "
            "there; choose an earlier step",
        ),
        ({"warmup_steps": 1, "steps": 9, "epochs": 3}, "epochs: has no effect: steps is 9; leave one of them out"),
        (
            {"proposals": 50, "rois": 101, "warmup_steps": 0},
            "rois: 101 is more than the 100 regions that training proposes; choose no more than that, or more "
            "proposals",
        ),
        (
            {"backbone": "frozen", "batch_norm": "batch", "warmup_steps": 0},
            "batch_norm: has no effect: a frozen encoder keeps its own statistics; leave it out",
        ),
        (
            {"architecture": "c4", "head_channels": 64, "warmup_steps": 0},
            "head_channels: has no effect: architecture is c4; leave it out",
        ),
        ({"warmup_factor": 0.1, "warmup_steps": 0}, "warmup_factor: has no effect: warmup_steps is 0; leave it out"),
        (
            {"precise_batches": 20, "warmup_steps": 0},
            "precise_batches: has no effect: architecture is fpn; leave it out",
        ),
        ({"gpu_images": 4, "warmup_steps": 0}, "gpu_images: has no effect: architecture is fpn; leave it out"),
    ],
)
def test_a_contradiction_of_a_protocol_is_one_line(settings: dict, line: str) -> None:
    boxes = {"title": "", "protocol": "boxes", "tasks": ["scenes"], "runs": ["mine"]}
    protocol = {"boxes": {"kind": "detection", **settings}}
    assert found(experiment(protocols=protocol, studies={"boxes": boxes})) == [f"protocols.boxes.{line}"]


def test_a_look_that_never_comes_is_doubted() -> None:
    line = "monitor.epochs: 6 is more than the epochs of any run; choose 5 or less"
    assert found(experiment(monitor={"epochs": 6})) == [line]


def test_the_share_of_the_peak_is_that_of_the_schedule() -> None:
    """The last step's rate, in a training of many steps."""
    spec = PretrainSpec(dataset="shapes", epochs=5)
    [(_, line)] = of_run(spec)
    last, peak = (learning_rate(spec.optimizer, step, 1000, epochs, 256) for step, epochs in ((4999, 5), (10000, 100)))
    assert f"{100 * last / peak:.0f} % of its peak" in line


def test_the_first_fall_is_that_of_the_detector() -> None:
    """Read from its text: the module imports torch and torchvision."""
    source = (ROOT / "mast/evaluation/detection_optimizer.py").read_text(encoding="utf-8")
    [steps] = re.findall(r"^STEPS = \((\d+) / (\d+), ", source, flags=re.MULTILINE)
    assert int(steps[0]) / int(steps[1]) == FIRST_FALL


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"pretrain": {"accumulate": 3}},
            "runs.mine: batch_size: 8 images cannot be shared out over 1 processes .* × accumulate 3; set a multiple "
            "of 3, at least 6",
        ),
        (
            {
                "datasets": {"shapes": {"kind": "shapes", "train": 48, "test": 10, "size": 256}},
                "resources": {"pretrain": {"mem_mb": 2}},
                "studies": {},
            },
            "runs.mine: batch_size: two views of 8 images of 256 × 256 pixels are 3 MB on each node, and "
            "resources.pretrain.mem_mb is 2; choose fewer or smaller images, or more memory",
        ),
        ({"resources": {"pretrain": {"gpus": 3}}}, "runs.mine: batch_size: .* 3 processes .*; set a multiple of 3"),
        ({"resources": {"pretrain": {"gpus": 2, "nodes": 8}}}, "runs.mine: batch_size: .* 16 processes"),
        (
            {"studies": {"k": {"title": "", "protocol": "knn", "tasks": ["shapes"], "runs": ["mine"], "seeds": [7]}}},
            "studies.k.seeds: run 'mine' has none of them; choose from 0, 1",
        ),
    ],
)
def test_what_cannot_work_is_refused(sections: dict, message: str) -> None:
    with pytest.raises(MastError, match=message):
        check_experiment(experiment(**sections))


@pytest.mark.parametrize(
    ("pretrain", "message"),
    [
        ({"epochs": True}, "epochs: True is not a number; write one"),
        ({"optimizer": {"lr": True}}, "lr: True is not a number"),
        ({"optimizer": {"final_lr": 1.5}}, "final_lr: .*less than or equal to 1"),
        ({"encoder": {"widths": [True, 8, 8, 8]}}, "widths: .* is not a number"),
    ],
)
def test_values_that_no_setting_means_are_refused(pretrain: dict, message: str) -> None:
    with pytest.raises(MastError, match=message):
        experiment(pretrain)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"seeds": [True]}, r"seeds: \[True\] is not a number"),
        ({"runs": {"mine": {"label": True}}}, r"runs\.mine\.label: .* \(got True\); put text into quotes"),
        ({"runs": {"mine": {"label": 7}}}, r"runs\.mine\.label: .* \(got 7\); put text into quotes"),
        ({"resources": {"pretrain": {"gpus": True}}}, r"resources\.pretrain: gpus: True is not a number"),
        (
            {"protocols": {"d": {"kind": "detection", "min_size": 9, "max_size": 8}}},
            "min_size: 9 is more than max_size",
        ),
    ],
)
def test_other_sections_too(sections: dict, message: str) -> None:
    with pytest.raises(MastError, match=message):
        experiment(**sections)


def test_commands_say_it_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(CONFIG)
    assert main(["validate", str(config)]) == 0
    assert capsys.readouterr().err.startswith("mast: warning: pretrain.optimizer.warmup_epochs: 10 is no less than ")
    main(["doctor", str(config)])
    assert "note    settings  pretrain.optimizer.warmup_epochs: 10 is" in capsys.readouterr().out


def test_a_run_that_nothing_shows_is_not_trained() -> None:
    own = {"mine": {}, "other": {}}
    assert found(experiment(runs=own)) == [
        "runs.other: no study or figure shows it, so `all` does not train it; name it in a study"
    ]
    assert found(experiment(runs=own, figures={"losses": ["other"]})) == []
    assert found(experiment(runs=own, studies={})) == []
