"""Typed, validated configuration: the only place where defaults stand."""

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
from mast.config.pretrain import ObjectiveSpec, OptimizerSpec, PretrainSpec

__all__ = [
    "DataSpec",
    "DetectionProtocol",
    "Experiment",
    "FewShotProtocol",
    "KnnProtocol",
    "LinearProtocol",
    "LinearSgdProtocol",
    "ObjectiveSpec",
    "OptimizerSpec",
    "PretrainSpec",
    "ProtocolSpec",
    "Semi1Protocol",
    "Semi10Protocol",
    "SemiProtocol",
    "Study",
    "SvmProtocol",
    "load_experiment",
]
