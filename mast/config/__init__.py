"""Typed, validated configuration: the only place where defaults stand."""

from mast.config.augment import AUGMENTATIONS, SETS, PairingSpec, PolicySpec
from mast.config.data import (
    ClassificationData,
    CocoData,
    DataSpec,
    DetectionData,
    DigitsData,
    FolderData,
    PublicData,
    ScenesData,
    ShapesData,
    VocData,
    VocLabelsData,
)
from mast.config.experiment import Experiment, Study
from mast.config.load import load_experiment
from mast.config.pretrain import (
    EncoderSpec,
    MaskSpec,
    MastSpec,
    ObjectiveSpec,
    OptimizerSpec,
    PretrainSpec,
    ProjectorSpec,
    UncertaintySpec,
)

__all__ = [
    "AUGMENTATIONS",
    "SETS",
    "ClassificationData",
    "CocoData",
    "DataSpec",
    "DetectionData",
    "DigitsData",
    "EncoderSpec",
    "Experiment",
    "FolderData",
    "MaskSpec",
    "MastSpec",
    "ObjectiveSpec",
    "OptimizerSpec",
    "PairingSpec",
    "PolicySpec",
    "PretrainSpec",
    "ProjectorSpec",
    "PublicData",
    "ScenesData",
    "ShapesData",
    "Study",
    "UncertaintySpec",
    "VocData",
    "VocLabelsData",
    "load_experiment",
]
