"""Typed, validated configuration: the only place where defaults stand."""

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
from mast.config.evaluate import (
    DetectionProtocol,
    FewShotProtocol,
    KnnProtocol,
    LinearProtocol,
    LinearSgdProtocol,
    ProtocolSpec,
    Semi1Protocol,
    Semi10Protocol,
    SemiProtocol,
    SvmProtocol,
)
from mast.config.experiment import Experiment, Study
from mast.config.load import load_experiment
from mast.config.pretrain import ObjectiveSpec, OptimizerSpec, PretrainSpec

__all__ = [
    "ClassificationData",
    "CocoData",
    "DataSpec",
    "DetectionData",
    "DetectionProtocol",
    "DigitsData",
    "Experiment",
    "FewShotProtocol",
    "FolderData",
    "KnnProtocol",
    "LinearProtocol",
    "LinearSgdProtocol",
    "ObjectiveSpec",
    "OptimizerSpec",
    "PretrainSpec",
    "ProtocolSpec",
    "PublicData",
    "ScenesData",
    "Semi1Protocol",
    "Semi10Protocol",
    "SemiProtocol",
    "ShapesData",
    "Study",
    "SvmProtocol",
    "VocData",
    "VocLabelsData",
    "load_experiment",
]
