"""Settings of the networks."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from mast.settings import Count, NonNegative, Positive, StrictModel, nearest

NARROW = "resnet-narrow"
"""Name of this project's small ResNet, for small images and machines."""

SMALLEST_STEM = 8
"""Smallest number of channels of the first stage of `resnet-narrow`."""

TORCHVISION_RESNETS = (
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2"),
)
"""Names of encoders in torchvision.models."""


class EncoderSpec(StrictModel):
    """The backbone whose weights are the product of pretraining."""

    name: Annotated[str, Field(min_length=1)] = "resnet18"
    """`resnet-narrow`, a torchvision ResNet (`resnet18`, `resnet50`, …) or `timm/<model>` with layer1…layer4."""
    stem: Literal["imagenet", "small"] = "imagenet"
    """`imagenet`: 7×7 stride 2 and max-pool. `small`: 3×3 stride 1, no max-pool, for images of 64 px or less."""
    widths: tuple[Count, Count, Count, Count] = (24, 48, 96, 192)
    """`resnet-narrow` only: number of channels of the four stages; at least 8 in the first."""
    zero_init_residual: bool = True
    """Start each residual branch at zero (the last batch norm's weight)."""

    @field_validator("widths")
    @classmethod
    def _no_narrower_stem(cls, widths: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """Refuse narrower stems: with them oneDNN 3.12 writes beyond its memory in the stem's gradient, on CPUs with
        AVX2 but no AVX-512.
        """
        if widths[0] < SMALLEST_STEM:
            raise ValueError(f"the first stage has {widths[0]} channels; give it {SMALLEST_STEM} or more")
        return widths

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if not name.startswith("timm/") and name not in (NARROW, *TORCHVISION_RESNETS):
            raise ValueError(f"encoder.name: unknown encoder; {nearest(name, (NARROW, *TORCHVISION_RESNETS))}")
        return name


class ProjectorSpec(StrictModel):
    """Linear–BN–ReLU blocks, then a linear layer without bias; used in pretraining only."""

    hidden: Count = 2048
    """Width of the hidden layers."""
    output: Annotated[int, Field(ge=2)] = 2048
    """Number d of embedding dimensions."""
    layers: Annotated[int, Field(ge=1, le=6)] = 3
    """Number of linear layers, the last one included."""


class MaskSpec(StrictModel):
    """The learnable masks M ∈ [0,1]^{K×d}, one row per augmentation."""

    kind: Literal["none", "sigmoid", "topk"] = "topk"
    """`none`: M ≡ 1. `sigmoid`: free values. `topk`: soft top-k, with each row's mean exactly at `keep`."""
    keep: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """`topk`: mean of each mask. `sigmoid`: mean of each mask at the start."""
    temperature: Positive = 0.1
    """Softness of the selection."""
    init_std: NonNegative = 1.0
    """Standard deviation of the mask logits at the start. With 0.01, and `lr_factor` 1, masks find what augmentations
    change; by default they mostly stay as drawn, and features keep more of the information that augmentations erase
    (docs/understand/method.md).
    """
    sparsity: NonNegative = 0.0
    """Weight α of ‖M‖₁/(Kd) in the loss (`sigmoid` only: `topk` fixes it)."""
    lr_factor: Positive = 10.0
    """The mask logits' learning rate, as a multiple of the schedule's."""
    covariance: Literal["full", "masked"] = "full"
    """Whether the covariance term uses the whole embedding, or each masked embedding, averaged."""
    variance: Literal["full", "masked"] = "full"
    """Whether the variance hinge uses the whole embedding, or each masked embedding, averaged."""
    normalize: bool = True
    """Whether to divide each pair's dimension weights by their mean, so that masking does not shrink the invariance
    term.
    """


class UncertaintySpec(StrictModel):
    """Predicted uncertainty of each view, used to re-weight ambiguous pairs."""

    kind: Literal["none", "isotropic", "diagonal", "subspace"] = "none"
    """One variance per view (`isotropic`), one per embedding dimension (`diagonal`), or one per augmentation
    (`subspace`). With `subspace` the pair is re-weighted only in the subspace of that augmentation, and the form is
    `relative`.
    """
    form: Literal["relative", "likelihood"] = "relative"
    """`relative`: the head learns from detached differences and the encoder sees precisions normalised to mean 1.
    `likelihood`: the Gaussian negative log-likelihood acts on the encoder itself."""
    hidden: Count = 128
    """Width of the head's hidden layer."""
    min_variance: Positive = 0.01
    """Lower bound of a view's variance."""
    max_weight: Annotated[float, Field(ge=1)] = 1.5
    """`relative`: a pair's weight is clipped to [1/max_weight, max_weight] before normalisation."""

    @model_validator(mode="after")
    def _subspaces_are_weighted_relatively(self) -> Self:
        if self.kind == "subspace" and self.form != "relative":
            raise ValueError(
                f"uncertainty.form: 'subspace' has the form relative, not {self.form!r}; leave the key out"
            )
        return self

    def outputs(self, augmentations: int, dimensions: int) -> int:
        """Number of variances that the head predicts for a view; 0 for `none`."""
        return {"none": 0, "isotropic": 1, "diagonal": dimensions, "subspace": augmentations}[self.kind]
