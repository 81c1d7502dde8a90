"""Typed, validated configuration: the only place where defaults stand."""

from mast.config.augment import AUGMENTATIONS, SETS, PairingSpec, PolicySpec
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
from mast.config.experiment import DataSpec, Experiment, Study
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
    "DataSpec",
    "DetectionProtocol",
    "EncoderSpec",
    "Experiment",
    "FewShotProtocol",
    "KnnProtocol",
    "LinearProtocol",
    "LinearSgdProtocol",
    "MaskSpec",
    "MastSpec",
    "ObjectiveSpec",
    "OptimizerSpec",
    "PairingSpec",
    "PolicySpec",
    "PretrainSpec",
    "ProjectorSpec",
    "ProtocolSpec",
    "Semi1Protocol",
    "Semi10Protocol",
    "SemiProtocol",
    "Study",
    "SvmProtocol",
    "UncertaintySpec",
    "load_experiment",
]
