"""Typed, validated configuration: the only place where defaults stand."""

from mast.config.augment import AUGMENTATIONS, SETS, PairingSpec, PolicySpec
from mast.config.data import (
    ClassificationData,
    CocoData,
    DataSpec,
    DetectionData,
    DigitsData,
    FolderData,
    ScenesData,
    ShapesData,
)
from mast.config.evaluate import DetectionProtocol, KnnProtocol, LinearProtocol, ProtocolSpec
from mast.config.experiment import Experiment, Study
from mast.config.load import load_experiment, parse, parse_spec
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
    "DetectionProtocol",
    "DigitsData",
    "EncoderSpec",
    "Experiment",
    "FolderData",
    "KnnProtocol",
    "LinearProtocol",
    "MaskSpec",
    "MastSpec",
    "ObjectiveSpec",
    "OptimizerSpec",
    "PairingSpec",
    "PolicySpec",
    "PretrainSpec",
    "ProjectorSpec",
    "ProtocolSpec",
    "ScenesData",
    "ShapesData",
    "Study",
    "UncertaintySpec",
    "load_experiment",
    "parse",
    "parse_spec",
]
