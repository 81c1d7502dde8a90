"""What protocols share that train classification heads on augmented images."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field

from mast.augment.operations.crop import Crop
from mast.augment.operations.flip import Flip
from mast.protocols import CLASSIFICATION, PlannedTask, SplitProtocol
from mast.settings import Count, NonNegative, Positive


class SgdProtocol(SplitProtocol):
    """Training with SGD on augmented images: momentum 0.9, cosine per epoch down to 0."""

    VERSION = 2
    READS = "images"
    CHOICES = CLASSIFICATION
    TINY: ClassVar[dict[str, Any]] = {"epochs": 1, "batch_size": 3}

    epochs: Count
    batch_size: Annotated[int, Field(ge=2)] = 256
    """Images per step; the last batch of an epoch may be smaller."""
    lr_head: Positive
    """Not scaled with the batch."""
    weight_decay: NonNegative
    crop: Crop = Crop()
    """Random resized crop of the training images, of files that stay in place at their original size; images to score
    are taken as prepared."""
    flip: Flip = Flip()
    """Probability 0 where a label depends on left and right."""

    def doubts(self, task: PlannedTask) -> Iterator[tuple[str, str]]:
        """How files are cropped, where there are none."""
        if self.crop.interpolation is not None and not task.keeps_names:
            line = f"has no effect: {task.name!r} is prepared into arrays; leave it out, or choose `storage: index`"
            yield "crop.interpolation", line
