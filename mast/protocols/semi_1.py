"""Semi-supervised evaluation on 1 % of the labels."""

from typing import Annotated, Literal

from pydantic import Field

from mast.protocols._semi import SemiProtocol
from mast.settings import Positive


class Semi1Protocol(SemiProtocol):
    """Fine-tuning on 1 % of the labels (facebookresearch/vicreg, evaluate.py and README)."""

    CAPTION = (
        "Semi-supervised evaluation: encoder and head fine-tuned by SGD on 1 % of the labels. Scored after the last "
        "epoch."
    )

    kind: Literal["semi-1"]
    fraction: Annotated[float, Field(gt=0, le=1)] = 0.01
    lr_backbone: Positive = 0.03
    lr_head: Positive = 0.08
