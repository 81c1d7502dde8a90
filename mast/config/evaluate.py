"""Evaluation protocols: what is measured on a frozen or fine-tuned encoder."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mast.config.base import Count, NonNegative, Positive, StrictModel


class _Protocol(StrictModel):
    split: Literal["test", "val"] = "test"
    """`test`: fit on train (with validation), score on test. `val`: fit on train, score on validation (for tuning)."""


class LinearProtocol(_Protocol):
    """Multinomial logistic regression on frozen features by L-BFGS (AugSelf, transfer_linear_eval.py)."""

    kind: Literal["linear-lbfgs"]
    strengths: Annotated[int, Field(ge=1, le=200)] = 45
    """Number of regularisation strengths, log-spaced, tried on the validation images."""
    strength_range: tuple[Positive, Positive] = (1e-6, 1e5)
    """Smallest and largest strength w of w‖θ‖² beside the summed cross-entropy."""
    max_iterations: Count = 5000
    """Of L-BFGS, for each fit."""
    tolerance: Positive = 1e-9
    """A fit ends when a step lowers the objective by less than this, nats per image."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.strength_range[0] > self.strength_range[1]:
            raise ValueError("strength_range: the first strength is larger than the second; swap them")
        return self


class KnnProtocol(_Protocol):
    """Weighted nearest neighbours by cosine similarity (Wu et al. 2018)."""

    kind: Literal["knn"]
    k: Count = 20
    temperature: Positive = 0.07


class DetectionProtocol(StrictModel):
    """Faster R-CNN with FPN (torchvision) on the pretrained encoder; COCO AP on the test split."""

    kind: Literal["detection"]
    backbone: Literal["frozen", "finetuned"] = "finetuned"
    epochs: Count = 12
    batch_size: Count = 8
    """Images per step; the last short batch of an epoch is dropped."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: Positive = 0.02
    """Falls tenfold after 3/4 and again after 11/12 of training."""
    weight_decay: NonNegative = 1e-4
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    """Steps in which the learning rate rises linearly from a thousandth."""
    fpn_channels: Count = 256
    head_channels: Count = 1024
    min_size: Count = 800
    """Short side to which images are resized, pixels."""
    max_size: Count = 1333
    anchor_sizes: Annotated[tuple[Count, ...], Field(min_length=5, max_length=5)] = (32, 64, 128, 256, 512)
    """Side of the anchors, pixels: one for each feature level (four stages, then the pooled fifth)."""
    proposals: Count = 1000
    """Regions proposed per image in the evaluation; twice as many in training."""
    rois: Count = 512
    """Proposals per image on which the box head is trained."""


ProtocolSpec = Annotated[LinearProtocol | KnnProtocol | DetectionProtocol, Field(discriminator="kind")]
"""Any protocol."""
