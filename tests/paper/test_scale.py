"""`data_root` and `scale: tiny` change the right settings and no others."""

from pathlib import Path

import pytest
from support import ROOT

from mast.config.load import load_experiment
from mast.errors import MastError
from mast.preflight.experiment import check_experiment

PAPER = ROOT / "config/paper"


@pytest.mark.parametrize("paper", ["stl10", "imagenet"])
def test_tiny_keeps_every_run_study_and_method_setting(paper: str) -> None:
    full, tiny = (load_experiment(PAPER / f"{paper}.yaml", {"scale": scale}) for scale in ("full", "tiny"))
    assert tiny.studies.keys() == full.studies.keys() and tiny.figures == full.figures
    assert tiny.results == f"{full.results}-tiny" and tiny.seeds == (0,)
    for run in full.runs:
        large, small = full.pretrain_spec(run), tiny.pretrain_spec(run)
        assert (small.method, small.policy, small.mast) == (large.method, large.policy, large.mast)
        assert tiny.run_seeds(run) == (0,) and small.encoder.name == "resnet-narrow"
        assert large.epochs is None or (small.epochs, small.optimizer.name) == (1, large.optimizer.name)
    assert all(getattr(tiny.resources, stage).gpus == 0 for stage in ("pretrain", "detection", "finetune"))


def test_tiny_embedded_data_are_few_images_and_fit_every_protocol(tmp_path: Path) -> None:
    changes = {"scale": "tiny", "results": str(tmp_path)}
    full = load_experiment(PAPER.parent / "full.yaml", changes)
    assert (full.datasets["shapes"].train, full.datasets["shapes"].test) == (400, 80)
    assert (full.datasets["scenes"].train, full.datasets["scenes"].test) == (8, 4)
    check_experiment(full)
    smoke = load_experiment(PAPER.parent / "smoke.yaml", changes)
    assert (smoke.datasets["shapes"].train, smoke.datasets["shapes"].test) == (256, 80)


def test_relative_paths_lie_below_data_root() -> None:
    experiment = load_experiment(PAPER / "imagenet.yaml", {"data_root": "/some/where"})
    assert experiment.datasets["imagenet"].root == "/some/where/imagenet"
    assert experiment.datasets["coco"].test.images == "/some/where/coco/val2017"
    assert experiment.protocols["semi-1"].files == ("/some/where/imagenet_subsets/1percent.txt",)
    assert load_experiment(PAPER / "imagenet.yaml").datasets["imagenet"].root == "imagenet"


def test_absolute_paths_stay(tmp_path: Path) -> None:
    text = (PAPER / "imagenet.yaml").read_text(encoding="utf-8").replace("root: imagenet\n", "root: /own/imagenet\n")
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    experiment = load_experiment(tmp_path / "own.yaml", {"data_root": "/some/where"})
    assert experiment.datasets["imagenet"].root == "/own/imagenet"


@pytest.mark.parametrize("changes", [{"scale": "small"}, {"data_root": 3}, {"scale": "tiny", "runs": 3}])
def test_bad_values_are_one_line_that_names_the_key(changes: dict) -> None:
    with pytest.raises(MastError, match=f"imagenet.yaml: {list(changes)[-1]}: ") as error:
        load_experiment(PAPER / "imagenet.yaml", changes)
    assert "\n" not in str(error.value)


def test_vicreg_has_its_published_settings() -> None:
    """facebookresearch/vicreg, main_vicreg.py, augmentations.py and README."""
    run = load_experiment(PAPER / "imagenet.yaml").pretrain_spec("vicreg")
    assert (run.epochs, run.batch_size, run.optimizer.name, run.optimizer.lr) == (1000, 2048, "lars", 0.2)
    assert (run.optimizer.warmup_epochs, run.optimizer.weight_decay, run.optimizer.trust) == (10, 1e-6, 0.001)
    assert (run.optimizer.momentum, run.optimizer.final_lr) == (0.9, 0.001)
    assert (run.projector.hidden, run.projector.output, run.projector.layers) == (8192, 8192, 3)
    assert tuple(run.objective.model_dump().values()) == (25, 25, 1)
    assert run.policy.names == ("crop", "flip", "jitter", "grayscale", "blur", "solarize")
    assert run.policy.blur.probability == (1.0, 0.1) and run.policy.solarize.probability == (0.0, 0.2)
    jitter = run.policy.jitter
    assert (jitter.probability, jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) == (
        0.8,
        0.4,
        0.4,
        0.2,
        0.1,
    )
    assert run.policy.crop.scale == (0.08, 1.0) and run.encoder.zero_init_residual
