"""Pretraining: encoder, projector, objective, optimiser, schedule."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from mast.augment.settings import PairingSpec, PolicySpec
from mast.settings import Count, Name, NonNegative, Positive, Precision, Probability, StrictModel, nearest

Method = Literal["untrained", "supervised", "vicreg", "mast"]


NARROW = "resnet-narrow"
"""A small ResNet of this project, for images and machines that are small too."""

TORCHVISION_RESNETS = (
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2"),
)
"""Encoders by their names in torchvision.models."""


class EncoderSpec(StrictModel):
    """The backbone whose weights are the product of pretraining."""

    name: Annotated[str, Field(min_length=1)] = "resnet18"
    """`resnet-narrow`, a torchvision ResNet (`resnet18`, `resnet50`, …) or `timm/<model>` with layer1…layer4."""
    stem: Literal["imagenet", "small"] = "imagenet"
    """`imagenet`: 7×7 stride 2 and max-pool. `small`: 3×3 stride 1, no max-pool, for images of 64 px or less."""
    widths: tuple[Count, Count, Count, Count] = (24, 48, 96, 192)
    """`resnet-narrow` only: channels of the four stages."""
    zero_init_residual: bool = True
    """Start each residual branch at zero (the last batch norm's weight)."""

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if not name.startswith("timm/") and name not in (NARROW, *TORCHVISION_RESNETS):
            raise ValueError(f"encoder.name: unknown encoder; {nearest(name, (NARROW, *TORCHVISION_RESNETS))}")
        return name


class ProjectorSpec(StrictModel):
    """Linear–BN–ReLU blocks, then a linear layer without bias; used in pretraining only."""

    hidden: Count = 2048
    output: Annotated[int, Field(ge=2)] = 2048
    """d, the number of embedding dimensions."""
    layers: Annotated[int, Field(ge=1, le=6)] = 3


class ObjectiveSpec(StrictModel):
    """Weights of VICReg's terms (facebookresearch/vicreg, main_vicreg.py)."""

    invariance: NonNegative = 25.0
    variance: NonNegative = 25.0
    covariance: NonNegative = 1.0


class MaskSpec(StrictModel):
    """The learnable masks M ∈ [0,1]^{K×d}, one row per augmentation."""

    kind: Literal["none", "sigmoid", "topk"] = "topk"
    """`none`: M ≡ 1. `sigmoid`: free. `topk`: soft top-k, each row's mean held at `keep` exactly."""
    keep: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """`topk`: mean of each mask. `sigmoid`: mean of each mask at the start."""
    temperature: Positive = 0.1
    """Softness of the selection."""
    init_std: NonNegative = 1.0
    """Standard deviation of the mask logits at the start."""
    sparsity: NonNegative = 0.0
    """Weight α of ‖M‖₁/(Kd) in the loss (`sigmoid` only: `topk` fixes it)."""
    lr_factor: Positive = 10.0
    """The mask logits' learning rate, as a multiple of the schedule's."""
    covariance: Literal["full", "masked"] = "full"
    """Covariance term on the whole embedding, or on each masked embedding, averaged."""
    variance: Literal["full", "masked"] = "full"
    """Variance hinge on the whole embedding, or on each masked embedding, averaged."""
    normalize: bool = True
    """Divide each pair's dimension weights by their mean, so that masking does not shrink the invariance term."""


class UncertaintySpec(StrictModel):
    """Predicted uncertainty of each view, used to re-weight ambiguous pairs."""

    kind: Literal["none", "isotropic", "diagonal"] = "none"
    """One variance per image, or one per embedding dimension."""
    form: Literal["relative", "likelihood"] = "relative"
    """`relative`: the head learns from detached differences and the encoder sees precisions normalised to mean 1.
    `likelihood`: the Gaussian negative log-likelihood acts on the encoder itself."""
    hidden: Count = 128
    """Width of the head's hidden layer."""
    min_variance: Positive = 0.01
    """Lower bound of a view's variance."""
    max_weight: Annotated[float, Field(ge=1)] = 1.5
    """`relative`: a pair's weight is clipped to [1/max_weight, max_weight] before normalisation."""


class MastSpec(StrictModel):
    """What MAST adds to VICReg."""

    pairing: PairingSpec = PairingSpec()
    masks: MaskSpec = MaskSpec()
    uncertainty: UncertaintySpec = UncertaintySpec()


class OptimizerSpec(StrictModel):
    """Optimiser and learning-rate schedule: linear warm-up, then cosine, stepped every iteration."""

    name: Literal["lars", "sgd", "adamw"] = "lars"
    lr: Positive = 0.3
    """Peak learning rate at a batch of 256; scaled in proportion to the batch for `lars` and `sgd`."""
    weight_decay: NonNegative = 1e-6
    """Not applied to biases and normalisation parameters."""
    momentum: Probability = 0.9
    """`lars` and `sgd`."""
    trust: Positive = 0.001
    """`lars`: trust coefficient."""
    warmup_epochs: NonNegative = 10.0
    final_lr: NonNegative = 0.001
    """Last learning rate, as a share of the peak."""


class PretrainSpec(StrictModel):
    """One pretraining run, all settings resolved."""

    method: Method = "vicreg"
    dataset: Name
    """Name of the data set (in `datasets`) to pretrain on."""
    encoder: EncoderSpec = EncoderSpec()
    policy: PolicySpec | None = PolicySpec()
    projector: ProjectorSpec | None = ProjectorSpec()
    objective: ObjectiveSpec | None = ObjectiveSpec()
    mast: MastSpec | None = MastSpec()
    optimizer: OptimizerSpec | None = OptimizerSpec()
    epochs: Count | None = 100
    batch_size: Annotated[int, Field(ge=2)] | None = 256
    """Images per step; each gives two views. The last short batch of an epoch is dropped."""
    accumulate: Count | None = 1
    """Parts in which each batch is computed one after the other, their gradients averaged: less memory. Variance and
    covariance, and batch normalisation, are then those of a part (docs/cluster.md)."""
    precision: Precision | None = "fp32"
    """Autocast type of encoder and projector; the loss is always computed in float32."""
    compile: bool | None = False
    """Compile encoder and projector (torch.compile; needs a C++ compiler on a CPU, Triton on a GPU)."""
    log_every: Count | None = 10
    """Steps between two lines of metrics.jsonl."""
    checkpoint_minutes: Positive | None = 10.0
    """Minutes between two checkpoints."""

    def resolved(self) -> "PretrainSpec":
        """The same run without the sections that its method does not read (set to None).

        So a change of MAST's masks leaves the spec, and with it the results, of a VICReg run alone.
        """
        update: dict[str, object] = dict.fromkeys(_unread(self.method))
        if self.policy is not None and "policy" not in update:
            update["policy"] = self.policy.pruned()
        return self.model_copy(update=update)

    @model_validator(mode="after")
    def _what_is_read_is_there(self) -> Self:
        for name in set(PretrainSpec.model_fields) - _unread(self.method):
            if getattr(self, name) is None:
                raise ValueError(f"'{name}' is empty; give it a value or leave the key out")
        return self

    @model_validator(mode="after")
    def _augmentations_to_mask(self) -> Self:
        if self.method in ("vicreg", "mast") and self.policy is not None and not self.policy.names:
            raise ValueError("policy.augmentations: a self-supervised run needs at least one augmentation")
        return self


def _unread(method: Method) -> set[str]:
    """The sections that a method does not read."""
    return {
        "untrained": set(PretrainSpec.model_fields) - {"method", "dataset", "encoder"},
        "supervised": {"projector", "objective", "mast"},
        "vicreg": {"mast"},
        "mast": set(),
    }[method]
