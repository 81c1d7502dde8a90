"""Inputs and results of a protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mast.data.prepared.store import PreparedData
from mast.evaluation.features_file import Features
from mast.records import Origin
from mast.settings import StrictModel

if TYPE_CHECKING:
    from mast.checkpoint import Checkpoints
    from mast.distributed import World


def _alone() -> "World":
    from mast.distributed import ALONE  # imports torch, and planning a workflow reads this module

    return ALONE


Metrics = Mapping[str, Mapping[str, float | None]]
"""Target → metric → percent in [0, 100], or None where a metric is undefined."""


@dataclass(frozen=True)
class FeatureInputs:
    """Inputs of protocols that read features."""

    protocol: str
    """Name of the protocol in the configuration, for messages."""
    file: Path
    """Path of the features file, for messages."""
    features: Features


@dataclass(frozen=True)
class EncoderInputs:
    """Inputs of protocols that run an encoder on images or scenes."""

    protocol: str
    """Name of the protocol in the configuration, for messages."""
    encoder: Path
    """Path of the encoder file."""
    task: PreparedData
    origin: Origin
    seed: int
    """Seed of all random draws: new layers, the order of the images, augmentations."""
    checkpoints: Path
    """Directory of the checkpoints of unfinished training runs; those of this evaluation are deleted when the metrics
    are written.
    """
    device: str = "cpu"
    trainings: "list[Checkpoints]" = field(default_factory=list)
    """Checkpoints that `saved` returned."""
    world: "World" = field(default_factory=_alone)
    """Processes that evaluate together; the first one writes."""

    def saved(self, spec: StrictModel, folder: str = "", **more: Any) -> "Checkpoints":
        """Return the checkpoints of a training run in a folder of `checkpoints`.

        A checkpoint is used if it has the same protocol (settings and version), seed, encoder and task, and the same
        values in `more`.
        """
        from mast.checkpoint import Checkpoints

        origin = {"encoder_sha256": self.origin.encoder_sha256, "task_sha256": self.origin.task_sha256}
        own = {"settings": spec.model_dump_json(), "version": spec.version, "seed": self.seed}
        self.trainings.append(Checkpoints(self.checkpoints / folder, {**own, **origin, **more}))
        return self.trainings[-1]

    def clear(self) -> None:
        """Delete the checkpoints of this evaluation, and their directory if it contains no others."""
        for training in self.trainings:
            training.clear()
        if self.checkpoints.is_dir() and not any(self.checkpoints.iterdir()):
            self.checkpoints.rmdir()


@dataclass(frozen=True)
class Measured:
    """Result of an evaluation."""

    metrics: Metrics
    counts: Mapping[str, int]
    """Number of images in `train` and `test`; other counts of the protocol."""
    details: Mapping[str, Any] | None = None
    """Further information needed to judge the numbers, e.g. the hash of a subset; tables do not show it."""
    predictions: list[dict[str, Any]] | None = None
    """For scenes: the detections, in COCO's result format."""
    chance: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Target → metric → score reached without looking at the images, percent, where it is known. Tables then also show
    scores corrected for it.
    """
