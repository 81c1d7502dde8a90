"""Measurements of an encoder while it trains."""

from typing import Annotated

from pydantic import Field

from mast.settings import StrictModel


class MonitorSpec(StrictModel):
    """Measurements of an encoder while it trains. They take time, but do not change the encoder or cause reruns."""

    epochs: Annotated[int, Field(ge=0)] = 0
    """Number of epochs between two measurements; 0: no measurement. They take 1 % of a run's time at 5 epochs and 5,000
    images or more.
    """
    images: Annotated[int, Field(ge=20)] = 1000
    """Number of labelled training images. The labels of three quarters are known; those of the rest are predicted."""
    tensorboard: bool = False
    """Also write event files, for `tensorboard --logdir results` (needs the extra `tensorboard`)."""
