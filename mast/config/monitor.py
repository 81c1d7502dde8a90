"""What is looked at while a run trains."""

from typing import Annotated

from pydantic import Field

from mast.settings import StrictModel


class MonitorSpec(StrictModel):
    """Looks at an encoder while it trains. They cost time, and change neither the encoder nor what is rerun."""

    epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs from one look to the next; 0: none. Costs 1 % of a training at 5 epochs and 5,000 images or more."""
    images: Annotated[int, Field(ge=20)] = 1000
    """Labelled training images: of three quarters the labels are known, those of the rest are predicted."""
    tensorboard: bool = False
    """Write event files too, for `tensorboard --logdir results` (needs the extra `tensorboard`)."""
