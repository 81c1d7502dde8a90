"""Evaluation protocols: what is measured on a frozen or fine-tuned encoder."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mast.augment.operations.crop import Crop
from mast.augment.operations.flip import Flip
from mast.settings import Count, NonNegative, Positive, StrictModel


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


class FewShotProtocol(_Protocol):
    """Episodes of few labelled images, a logistic regression each (AugSelf, transfer_few_shot.py)."""

    kind: Literal["few-shot"]
    shots: Count = 5
    """Labelled images per class and episode."""
    ways: Annotated[int, Field(ge=2)] = 5
    """Classes per episode; a target with fewer classes shows all of them in every episode."""
    queries: Count = 16
    """Images to classify per class and episode."""
    episodes: Annotated[int, Field(ge=2)] = 2000
    inverse_strength: Positive = 1.0
    """C of ½‖θ‖² + C · summed loss, bias included (scikit-learn's default, as in the source)."""
    seed: int = 0
    """Of the episodes: every encoder is scored on the same ones."""


class SvmProtocol(_Protocol):
    """Linear SVMs, one for each class, on frozen features of multi-label images (VISSL's VOC07 benchmark)."""

    kind: Literal["svm-voc"]
    costs: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.01, 0.1, 1, 2, 5, 10, 15, 20, 50, 100, 1000)
    """Values of C, of which cross-validation chooses one for each class."""
    folds: Annotated[int, Field(ge=2)] = 3
    positive_weight: Positive = 2.0
    """Weight of an image that shows the class, relative to one that does not."""
    max_iterations: Count = 2000
    """Of liblinear's dual coordinate descent, for each fit."""


class _SgdProtocol(_Protocol):
    """What protocols share that train with SGD on augmented images: momentum 0.9, cosine per epoch down to 0."""

    epochs: Count
    batch_size: Annotated[int, Field(ge=2)] = 256
    """Images per step; the last short batch of an epoch is dropped."""
    lr_head: Positive
    """Not scaled with the batch."""
    weight_decay: NonNegative
    crop: Crop = Crop()
    """Random resized crop of the training images; images to score are taken as prepared."""
    flip: Flip = Flip()
    """Probability 0 where a label depends on left and right."""


class LinearSgdProtocol(_SgdProtocol):
    """A linear head on the frozen encoder, trained on crops and flips (facebookresearch/vicreg, evaluate.py)."""

    kind: Literal["linear-sgd"]
    epochs: Count = 100
    lr_head: Positive = 0.02
    weight_decay: NonNegative = 1e-6


class _SemiProtocol(_SgdProtocol):
    """Fine-tuning of encoder and head on a share of the labels, drawn for each class alike."""

    fraction: Annotated[float, Field(gt=0, le=1)]
    """Share of each class's training images that keep their label, rounded, at least one."""
    epochs: Count = 20
    lr_backbone: Positive
    weight_decay: NonNegative = 0.0
    subset_seed: int = 0
    """Of the draw of the labelled images: every encoder gets the same ones."""
    subset_list: Annotated[str, Field(min_length=1)] | None = None
    """File with the names of the labelled images, one a line, in place of the draw (docs/protocols.md). The task needs
    `storage: index`; relative paths start at the directory in which the command runs."""

    @model_validator(mode="after")
    def _list_of_all_training_images(self) -> Self:
        if self.subset_list is not None and self.split == "val":
            raise ValueError("subset_list: names validation images too; set split to test, or leave the list out")
        return self


class Semi1Protocol(_SemiProtocol):
    """Fine-tuning on 1 % of the labels (facebookresearch/vicreg, evaluate.py and README)."""

    kind: Literal["semi-1"]
    fraction: Annotated[float, Field(gt=0, le=1)] = 0.01
    lr_backbone: Positive = 0.03
    lr_head: Positive = 0.08


class Semi10Protocol(_SemiProtocol):
    """Fine-tuning on 10 % of the labels (facebookresearch/vicreg, evaluate.py and README)."""

    kind: Literal["semi-10"]
    fraction: Annotated[float, Field(gt=0, le=1)] = 0.1
    lr_backbone: Positive = 0.01
    lr_head: Positive = 0.1


SemiProtocol = Semi1Protocol | Semi10Protocol
"""Both semi-supervised protocols."""


class DetectionProtocol(StrictModel):
    """Faster or Mask R-CNN with FPN (torchvision) on the pretrained encoder; COCO AP on the test split."""

    kind: Literal["detection"]
    backbone: Literal["frozen", "finetuned"] = "finetuned"
    batch_norm: Literal["batch", "encoder"] = "batch"
    """Statistics with which the batch norm of a fine-tuned encoder normalises: of each batch, which then has to be
    large enough, or those of the encoder file, which stay as they are. Its scale and shift are trained in any case."""
    masks: bool = False
    """Segment each object too (Mask R-CNN): AP of boxes and of masks. Every annotation then needs a segmentation."""
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
    mask_channels: Count = 256
    """`masks` only: width of the mask head's four convolutions."""
    min_size: Count = 800
    """Short side to which images are resized, pixels."""
    max_size: Count = 1333
    anchor_sizes: Annotated[tuple[Count, ...], Field(min_length=5, max_length=5)] = (32, 64, 128, 256, 512)
    """Side of the anchors, pixels: one for each feature level (four stages, then the pooled fifth)."""
    proposals: Count = 1000
    """Regions proposed per image in the evaluation; twice as many in training."""
    rois: Count = 512
    """Proposals per image on which the box head is trained."""


ProtocolSpec = Annotated[
    LinearProtocol
    | KnnProtocol
    | FewShotProtocol
    | SvmProtocol
    | LinearSgdProtocol
    | Semi1Protocol
    | Semi10Protocol
    | DetectionProtocol,
    Field(discriminator="kind"),
]
"""Any protocol."""
