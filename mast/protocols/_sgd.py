"""What protocols share that train classification heads on augmented images."""

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
    batch_size: Annotated[int, Field(ge=2)] = 256
    """Images per step; the last batch of an epoch may be smaller."""
    lr_head: Positive
    """Learning rate of the head at the start."""
    lr_batch: Count | None = None
    """Images of the batch for which learning rates are stated: they are scaled with `batch_size` in proportion. Null:
    they are not scaled."""
    schedule: Literal["cosine", "steps"] = "cosine"
    """Of the learning rates, once per epoch: by a cosine down to 0, or `gamma` times as large from each of `milestones`
    on."""
    milestones: Annotated[tuple[Count, ...], Field(min_length=1)] | None = None
    """Of `steps`: epochs after which the learning rates fall, ascending."""
    gamma: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Of `steps`: the factor."""
    nesterov: bool = False
    """Nesterov's momentum."""
    weight_decay: NonNegative
    crop: Crop = Crop()
    """Random resized crop of the training images, of files that stay in place at their original size; images to score
    are taken whole."""
    flip: Flip = Flip()
    """Probability 0 where a label depends on left and right."""
    precision: Precision = "fp32"
    """Autocast type of the encoder in training; heads, losses and what is scored are computed in float32."""
    last_batch_multiple: Count = 1
    """The last short batch of an epoch is filled up with the epoch's first images to a multiple of this, at least two
    times it. The published code has its number of GPUs for it (torch's DistributedSampler). How many processes train
    here changes nothing."""

    def doubts(self, task: PlannedTask) -> Iterator[tuple[str, str]]:
        """Steps of the schedule that are never reached, settings of another schedule, and how no file is cropped."""
        if self.crop.interpolation is not None and not task.keeps_names:
            line = f"has no effect: {task.name!r} is prepared into arrays; leave it out, or choose `storage: index`"
            yield "crop.interpolation", line
        if self.schedule != "steps" and "gamma" in self.model_fields_set:
            yield "gamma", f"has no effect with schedule: {self.schedule}; leave it out"
        late = [epoch for epoch in self.milestones or () if epoch >= self.epochs]
        if late:
            line = f"training ends after {self.epochs} epochs, before {late[0]}"
            yield "milestones", f"{line}: the learning rate does not fall there; choose less"

    def check_processes(self, name: str, processes: int) -> None:
        """Each process has an image of a batch."""
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
