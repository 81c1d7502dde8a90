"""What a protocol is given, and what it gives back."""

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
    """For protocols that read features."""

    protocol: str
    """The protocol's name in the configuration, for messages."""
    file: Path
    """The features file, for messages."""
    features: Features


@dataclass(frozen=True)
class EncoderInputs:
    """For protocols that run an encoder on images or scenes."""

    protocol: str
    """The protocol's name in the configuration, for messages."""
    encoder: Path
    """The encoder file."""
    task: PreparedData
    origin: Origin
    seed: int
    """Of all that is drawn: new layers, the order of the images, augmentations."""
    checkpoints: Path
    """Directory of the checkpoints of unfinished trainings; its own are deleted when the metrics are written."""
    device: str = "cpu"
    trainings: "list[Checkpoints]" = field(default_factory=list)
    """Those that `saved` gave."""
    world: "World" = field(default_factory=_alone)
    """The processes that evaluate together; the first one writes."""

    def saved(self, spec: StrictModel, folder: str = "", **more: Any) -> "Checkpoints":
        """The checkpoints of a training in a folder of `checkpoints`.

        One is taken over if it has the same protocol (settings and version), seed, encoder and task, and the same
        values in `more`.
        """
        from mast.checkpoint import Checkpoints

        origin = {"encoder_sha256": self.origin.encoder_sha256, "task_sha256": self.origin.task_sha256}
        own = {"settings": spec.model_dump_json(), "version": spec.version, "seed": self.seed}
        self.trainings.append(Checkpoints(self.checkpoints / folder, {**own, **origin, **more}))
        return self.trainings[-1]

    def clear(self) -> None:
        """Delete the checkpoints of this evaluation's trainings, and their directory if it holds no others."""
        for training in self.trainings:
            training.clear()
        if self.checkpoints.is_dir() and not any(self.checkpoints.iterdir()):
            self.checkpoints.rmdir()


@dataclass(frozen=True)
class Measured:
    """The outcome of an evaluation."""

    metrics: Metrics
    counts: Mapping[str, int]
    """Images in `train` and `test`; other counts of the protocol."""
    details: Mapping[str, Any] | None = None
    """What else a reader needs to judge the numbers, e.g. the hash of a subset; no table shows it."""
    predictions: list[dict[str, Any]] | None = None
    """Of scenes: the detections, in COCO's result format."""
    chance: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Target → metric → percent that is reached without a look at the images, where that is known; tables then show
    scores corrected for it too."""
