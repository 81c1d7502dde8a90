"""The paper's configurations evaluate with the constants of the public files that they follow."""

from typing import Any

import pytest
from support import ROOT

from mast.config.experiment import Experiment
from mast.config.load import load_experiment

WHOLE = {"scale": (0.08, 1.0), "ratio": (3 / 4, 4 / 3)}
"""torchvision's RandomResizedCrop without arguments, as in VICReg's evaluate.py and in VISSL's files."""

EIGHT_GPUS = {"batch_size": 256, "precision": "fp32", "last_batch_multiple": 8}
"""A node of VICReg's README and of VISSL's files (NUM_PROC_PER_NODE), with torch's DistributedSampler."""

VICREG = EIGHT_GPUS | {"schedule": "cosine", "nesterov": False, "lr_batch": None}
"""facebookresearch/vicreg, evaluate.py."""

SEMI = VICREG | {"epochs": 20, "weight_decay": 0}
"""README, of 1 % and of 10 % of the labels."""

VISSL = EIGHT_GPUS | {"schedule": "steps", "gamma": 0.1, "nesterov": True, "lr_batch": 256, "head": "normalised"}
"""facebookresearch/vissl, eval_resnet_8gpu_transfer_{places205,inaturalist18}_linear.yaml."""

IMAGENET: dict[str, dict[str, Any]] = {
    # README of facebookresearch/vicreg: `--lr-head 0.02`; defaults of evaluate.py
    "linear-sgd": VICREG | {"epochs": 100, "lr_head": 0.02, "weight_decay": 1e-6, "head": "linear"},
    # README: `--train-perc 1 --epochs 20 --lr-backbone 0.03 --lr-classifier 0.08 --weight-decay 0`
    "semi-1": SEMI | {"subset_list": "imagenet_subsets/1percent.txt", "lr_backbone": 0.03, "lr_head": 0.08},
    "semi-10": SEMI | {"subset_list": "imagenet_subsets/10percent.txt", "lr_backbone": 0.01, "lr_head": 0.1},
    # VICReg, appendix C.3, on top of VISSL's files
    "linear-places": VISSL
    | {"epochs": 28, "milestones": (4, 8, 12), "lr_head": 0.003, "weight_decay": 1e-4, "pooling": "grid"},
    "linear-inat": VISSL
    | {"epochs": 84, "milestones": (24, 48, 72), "lr_head": 0.005, "weight_decay": 1e-4, "pooling": "global"},
    # facebookresearch/vissl, voc07/eval_resnet_8gpu_transfer_voc07_svm.yaml
    "svm": {"costs": (0.01, 0.1, 1, 2, 5, 10, 15, 20, 50, 100, 1000), "folds": 3, "max_iterations": 2000}
    | {"pooling": "grid", "positive_weight": 2},
}

STL10: dict[str, dict[str, Any]] = {
    # hankook/AugSelf, transfer_linear_eval.py and transfer_few_shot.py
    "linear": {"strengths": 45, "strength_range": (1e-6, 1e5), "max_iterations": 5000},
    "few-shot-1": {"ways": 5, "shots": 1, "queries": 16, "episodes": 2000},
    "few-shot-5": {"ways": 5, "shots": 5, "queries": 16, "episodes": 2000},
}

TRANSFORMS = {
    "imagenet": (256, "crop", "bilinear", 224),  # facebookresearch/vicreg, evaluate.py
    "places205": (256, "crop", "bilinear", 224),  # facebookresearch/vissl
    "inat18": (256, "crop", "bilinear", 224),
    "voc07": (256, "stretch", "bilinear", 224),
}


def paper(name: str) -> Experiment:
    return load_experiment(ROOT / f"config/paper/{name}.yaml")


@pytest.mark.parametrize(("name", "expected"), [("imagenet", IMAGENET), ("stl10", STL10)])
def test_protocols_have_the_constants_of_their_sources(name: str, expected: dict[str, dict[str, Any]]) -> None:
    protocols = {key: spec for key, spec in paper(name).protocols.items() if spec.kind != "detection"}
    assert protocols.keys() == expected.keys()
    for protocol, constants in expected.items():
        assert {key: getattr(protocols[protocol], key) for key in constants} == constants, protocol
        if protocols[protocol].READS == "images":
            crop = protocols[protocol].crop
            assert (crop.scale, crop.ratio, crop.probability) == (*WHOLE.values(), 1)
            assert protocols[protocol].flip.probability == 0.5


def test_encoders_normalise_as_in_the_sources() -> None:
    """facebookresearch/vicreg, augmentations.py and evaluate.py; hankook/AugSelf, datasets.py."""
    stated = [paper("imagenet").datasets["imagenet"], paper("stl10").datasets["stl10"]]
    assert [tuple(data.normalisation.model_dump().values()) for data in stated] == [
        ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ((0.43, 0.42, 0.39), (0.27, 0.26, 0.27)),
    ]


def test_images_are_brought_to_their_size_as_in_the_sources() -> None:
    datasets = paper("imagenet").datasets
    for name, (resize, square, interpolation, size) in TRANSFORMS.items():
        data = datasets[name]
        assert (data.size, data.exif, data.transparency) == (size, "stored", "dropped")
        assert data.transform.model_dump() == {"resize": resize, "square": square, "interpolation": interpolation}
    experiment = paper("stl10")
    for name in experiment.studies["linear"].tasks:  # hankook/AugSelf, datasets.py, load_datasets
        data = experiment.datasets[name]
        assert (data.size, data.exif, data.transparency) == (96, "stored", "dropped")
        assert data.transform.model_dump() == {"resize": None, "square": "crop", "interpolation": "bicubic"}
