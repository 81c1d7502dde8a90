"""Settings of one pretraining run. A section that only one method reads is defined with that method (mast/methods)."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, create_model, model_serializer, model_validator

from mast.augment.settings import PolicySpec
from mast.files import sha256_json
from mast.methods import METHODS
from mast.models.settings import EncoderSpec, ProjectorSpec
from mast.settings import Count, Name, NonNegative, Positive, Precision, Probability, StrictModel

Method = Literal[tuple(METHODS)]
"""The name of a method."""

SECTIONS = {name.replace("-", "_"): method.SETTINGS for name, method in METHODS.items() if method.SETTINGS is not None}
"""Section of a run's settings that only one method reads → its model."""

IN_EVERY_HASH = frozenset({"mast"})
"""Sections that the settings, and so the hash, of a run with another method contain as null. Later sections are left
out instead, so that a new method does not change the hash of any run.
"""

LATER = {"last_batch": "dropped"}
"""Settings that were added later, with the value that gives the results of a run without them. With this value they are
left out of the spec. A method that does not read one has this value.
"""


VERSION = 2
"""Version of the code that trains. It is raised when a code change makes the same settings train something else:
results of other versions have other hashes and are made again.
"""


class ObjectiveSpec(StrictModel):
    """Weights of VICReg's terms (facebookresearch/vicreg, main_vicreg.py)."""

    invariance: NonNegative = 25.0
    """Weight of the invariance term (`--sim-coeff`)."""
    variance: NonNegative = 25.0
    """Weight of the variance term (`--std-coeff`)."""
    covariance: NonNegative = 1.0
    """Weight of the covariance term (`--cov-coeff`)."""


class OptimizerSpec(StrictModel):
    """Optimiser and learning-rate schedule: linear warm-up, then cosine, stepped every iteration."""

    name: Literal["lars", "sgd", "adamw"] = "lars"
    """`lars`: as in facebookresearch/vicreg, main_vicreg.py. `sgd`, `adamw`: torch's."""
    lr: Positive = 0.3
    """Peak learning rate at a batch of 256; scaled in proportion to the batch for `lars` and `sgd`."""
    weight_decay: NonNegative = 1e-6
    """Weight decay, not applied to biases and normalisation parameters."""
    momentum: Probability = 0.9
    """Momentum of `lars` and `sgd`."""
    trust: Positive = 0.001
    """`lars`: trust coefficient. Matrices are adapted; vectors and the logits of masks are not."""
    warmup_epochs: NonNegative = 10.0
    """Number of epochs, also a fraction, in which the learning rate rises linearly from 0 to its peak."""
    final_lr: Probability = 0.001
    """Last learning rate, as a share of the peak."""


class _Networks(StrictModel):
    method: Method = "vicreg"
    """How the encoder is pretrained (docs/understand/method.md). Sections that the method does not read are ignored."""
    dataset: Name
    """Name of the dataset (in `datasets`) to pretrain on."""
    encoder: EncoderSpec = EncoderSpec()
    policy: PolicySpec | None = PolicySpec()
    projector: ProjectorSpec | None = ProjectorSpec()
    objective: ObjectiveSpec | None = ObjectiveSpec()


_Methods = create_model(
    "_Methods", __base__=StrictModel, **{name: (model | None, model()) for name, model in SECTIONS.items()}
)


class _Training(StrictModel):
    version: Literal[VERSION] | None = VERSION
    """Version of the code that trains. Only one exists; leave the key out."""
    optimizer: OptimizerSpec | None = OptimizerSpec()
    epochs: Count | None = 100
    """Length of pretraining: number of times that the training images are seen."""
    batch_size: Annotated[int, Field(ge=2)] | None = 256
    """Number of images per step; each gives two views, or more with the spaces of LooC and MAST-aware."""
    last_batch: Literal["dropped", "kept"] = "dropped"
    """What happens to the last, short batch of an epoch. `kept`: as in VICReg's code, where an epoch of ImageNet is 626
    steps of 2,048 images and not 625.
    """
    accumulate: Count | None = 1
    """Number of parts in which each batch is computed one after the other, with averaged gradients; more parts need
    less memory. Variance and covariance, and batch normalisation, are then computed on each part (docs/use/cluster.md).
    """
    precision: Precision | None = "fp32"
    """Autocast type of encoder and projector; the loss is always computed in float32."""
    compile: bool | None = False
    """Compile encoder and projector (torch.compile; needs a C++ compiler on a CPU, Triton on a GPU)."""
    log_every: Count | None = 10
    """Number of steps between two lines of metrics.jsonl."""
    checkpoint_minutes: Positive | None = 10.0
    """Minutes between two checkpoints. Changing it does not retrain anything."""


class PretrainSpec(_Training, _Methods, _Networks):
    """One pretraining run, all settings resolved."""

    def resolved(self) -> "PretrainSpec":
        """Return the same run with the sections that its method does not read set to None, or as in LATER.

        So a change of MAST's masks does not change the spec, and so not the results, of a VICReg run.
        """
        update: dict[str, object] = {name: LATER.get(name) for name in unread(self.method)}
        if self.policy is not None and "policy" not in update:
            update["policy"] = self.policy.pruned()
        return self.model_copy(update=update)

    def without_pace(self) -> "PretrainSpec":
        """Return the same run without the checkpoint interval, which changes no result and is no part of the hash."""
        if self.checkpoint_minutes is None:
            return self
        return self.model_copy(update={"checkpoint_minutes": PretrainSpec.model_fields["checkpoint_minutes"].default})

    def sha256(self) -> str:
        """Hash of the settings that decide the result: `spec_sha256` of the run's record."""
        return sha256_json(self.resolved().without_pace().model_dump(mode="json"))

    @model_validator(mode="after")
    def _what_is_read_is_there(self) -> Self:
        for name in set(PretrainSpec.model_fields) - unread(self.method):
            if getattr(self, name) is None:
                raise ValueError(f"'{name}' is empty; give it a value or leave the key out")
        METHODS[self.method].check(self)
        return self

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        unset: dict[str, Any] = dict.fromkeys(SECTIONS.keys() - IN_EVERY_HASH) | LATER
        return {key: value for key, value in serialize(self).items() if key not in unset or value != unset[key]}


def unread(method: str) -> set[str]:
    """Return the sections that a method does not read."""
    own = {method.replace("-", "_")} & SECTIONS.keys()
    return set(PretrainSpec.model_fields) - {"method", "dataset", "encoder"} - METHODS[method].READS - own
