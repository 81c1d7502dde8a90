"""Semi-supervised evaluation on 10 % of the labels."""

from typing import Annotated, Literal

from pydantic import Field

from mast.protocols._semi import SemiProtocol
from mast.settings import Positive


class Semi10Protocol(SemiProtocol):
    """Fine-tuning on 10 % of the labels (facebookresearch/vicreg, evaluate.py and README)."""

    CAPTION = (
        "Semi-supervised evaluation: encoder and head fine-tuned by SGD on 10 % of the labels. Scored after the last "
        "epoch."
    )

    kind: Literal["semi-10"]
    fraction: Annotated[float, Field(gt=0, le=1)] = 0.1
    lr_backbone: Positive = 0.01
    lr_head: Positive = 0.1
