"""What protocols share that train classification heads on augmented images."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from mast.augment.operations.crop import Crop
from mast.augment.operations.flip import Flip
from mast.errors import MastError
from mast.protocols import CLASSIFICATION, SplitProtocol
from mast.settings import Count, NonNegative, Positive, Precision


class SgdProtocol(SplitProtocol):
    """Training with SGD on augmented images: momentum 0.9, cosine per epoch down to 0."""

    VERSION = 2
    READS = "images"
    CHOICES = CLASSIFICATION
    TINY: ClassVar[dict[str, Any]] = {"epochs": 1, "batch_size": 3, "precision": "fp32", "last_batch_multiple": 1}
    LATER: ClassVar[dict[str, Any]] = {"precision": "fp32", "last_batch_multiple": 1}

    epochs: Count
    batch_size: Annotated[int, Field(ge=2)] = 256
    """Images per step; the last batch of an epoch may be smaller."""
    lr_head: Positive
    """Not scaled with the batch."""
    weight_decay: NonNegative
    crop: Crop = Crop()
    """Random resized crop of the training images; images to score are taken as prepared."""
    flip: Flip = Flip()
    """Probability 0 where a label depends on left and right."""
    precision: Precision = "fp32"
    """Autocast type of the encoder in training; heads, losses and what is scored are computed in float32."""
    last_batch_multiple: Count = 1
    """The last short batch of an epoch is filled up with the epoch's first images to a multiple of this, at least two
    times it. The published code has its number of GPUs for it (torch's DistributedSampler). How many processes train
    here changes nothing."""

    def check_processes(self, name: str, processes: int) -> None:
        """Each process has an image of a batch."""
        if processes > self.batch_size:
            raise MastError(
                f"protocols.{name}.batch_size: {self.batch_size} images cannot be shared out over {processes} "
                f"processes; choose {processes} or more, or fewer GPUs and nodes"
            )
