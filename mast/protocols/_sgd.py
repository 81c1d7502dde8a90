"""Code shared by protocols that train classification heads on augmented images."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from mast.augment.operations.crop import Crop
from mast.augment.operations.flip import Flip
from mast.errors import MastError
from mast.protocols import CLASSIFICATION, PlannedTask, SplitProtocol
from mast.settings import Count, NonNegative, Positive, Precision


class SgdProtocol(SplitProtocol):
    """Training with SGD on augmented images: momentum 0.9, learning rates that change from epoch to epoch."""

    VERSION = 2
    READS = "images"
    CHOICES = CLASSIFICATION
    TINY: ClassVar[dict[str, Any]] = {"epochs": 1, "batch_size": 3, "precision": "fp32", "last_batch_multiple": 1}
    LATER: ClassVar[dict[str, Any]] = {
        **{"precision": "fp32", "last_batch_multiple": 1, "lr_batch": None},
        **{"schedule": "cosine", "milestones": None, "gamma": 0.1, "nesterov": False},
    }

    epochs: Count
    """Length of training: number of times that the training images are seen."""
    batch_size: Annotated[int, Field(ge=2)] = 256
    """Number of images per step; the last batch of an epoch may be smaller."""
    lr_head: Positive
    """Learning rate of the head at the start."""
    lr_batch: Count | None = None
    """Batch size for which the learning rates are given; they are scaled in proportion to `batch_size`. Null: they are
    not scaled.
    """
    schedule: Literal["cosine", "steps"] = "cosine"
    """How the learning rates change from epoch to epoch. `cosine`: they follow a cosine down to 0. `steps`: at each of
    `milestones` they are multiplied by `gamma`.
    """
    milestones: Annotated[tuple[Count, ...], Field(min_length=1)] | None = None
    """`steps` only: epochs after which the learning rates fall, ascending."""
    gamma: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """`steps` only: factor of each fall."""
    nesterov: bool = False
    """Whether to use Nesterov momentum."""
    weight_decay: NonNegative
    """Weight decay of the trained parameters."""
    crop: Crop = Crop()
    """Random resized crop of the training images, cut from the original file if images stay in place. Scored images are
    used whole.
    """
    flip: Flip = Flip()
    """Horizontal flip; set its probability to 0 if a label depends on left and right."""
    precision: Precision = "fp32"
    """Autocast type of the encoder in training; heads, losses and scored images are computed in float32."""
    last_batch_multiple: Count = 1
    """The last short batch of an epoch is filled up with the epoch's first images to a multiple of this number, at
    least twice the number. The published code uses its number of GPUs (torch's DistributedSampler). The number of
    processes that train here changes nothing.
    """

    def doubts(self, task: PlannedTask) -> Iterator[tuple[str, str]]:
        """Return doubtful settings: unreached steps of the schedule, settings of another schedule, crops of files
        without files.
        """
        if self.crop.interpolation is not None and not task.keeps_names:
            line = f"has no effect: {task.name!r} is prepared into arrays; leave it out, or choose `storage: index`"
            yield "crop.interpolation", line
        if self.schedule != "steps" and "gamma" in self.model_fields_set:
            yield "gamma", f"has no effect with schedule: {self.schedule}; leave it out"
        late = [epoch for epoch in self.milestones or () if epoch >= self.epochs]
        if late:
            line = f"training ends after {self.epochs} epochs, before {late[0]}"
            yield "milestones", f"{line}: the learning rate does not fall there; choose an earlier epoch"

    def check_processes(self, name: str, processes: int) -> None:
        """Check that each process can get an image of a batch."""
        if processes > self.batch_size:
            raise MastError(
                f"protocols.{name}.batch_size: {self.batch_size} images cannot be shared out over {processes} "
                f"processes; choose {processes} or more, or fewer GPUs and nodes"
            )

    @model_validator(mode="after")
    def _steps_are_complete(self) -> Self:
        if self.schedule == "steps" and not self.milestones:
            raise ValueError("milestones: schedule: steps needs the epochs after which the learning rate falls")
        if self.schedule != "steps" and self.milestones:
            raise ValueError(f"milestones: has no effect with schedule: {self.schedule}; set schedule to steps")
        if any(later <= earlier for earlier, later in pairwise(self.milestones or ())):
            raise ValueError(f"milestones: {list(self.milestones)} should ascend")
        return self
