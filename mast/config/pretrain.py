"""Settings of one pretraining run. Sections that only one method reads stand with the method (mast/methods)."""

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
"""Section of a run's settings that one method alone reads → its model."""

IN_EVERY_HASH = frozenset({"mast"})
"""The sections of methods that a run's settings hold as null where its method does not read them, and so their hash.

Sections that came later are left out instead: a new method changes the hash of no run.
"""

LATER = {"last_batch": "dropped"}
"""Settings that came later, with the value at which a run is what it was without them: then they are left out, too. A
method that does not read one has this value."""


VERSION = 2
"""Of the code that trains. Raised when a change of it changes what the same settings train: results of other versions
have other hashes, and are made again."""


class ObjectiveSpec(StrictModel):
    """Weights of VICReg's terms (facebookresearch/vicreg, main_vicreg.py)."""

    invariance: NonNegative = 25.0
    variance: NonNegative = 25.0
    covariance: NonNegative = 1.0


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
    """`lars`: trust coefficient. Matrices are adapted; vectors and the logits of masks are not."""
    warmup_epochs: NonNegative = 10.0
    final_lr: Probability = 0.001
    """Last learning rate, as a share of the peak."""


class _Networks(StrictModel):
    method: Method = "vicreg"
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
    """Of the code that trains. There is one; leave the key out."""
    optimizer: OptimizerSpec | None = OptimizerSpec()
    epochs: Count | None = 100
    batch_size: Annotated[int, Field(ge=2)] | None = 256
    """Images per step; each gives two views."""
    last_batch: Literal["dropped", "kept"] = "dropped"
    """The last short batch of an epoch. `kept`: as in VICReg's code, where an epoch of ImageNet is 626 steps of 2,048
    images and not 625."""
    accumulate: Count | None = 1
    """Parts in which each batch is computed one after the other, their gradients averaged: less memory. Variance and
    covariance, and batch normalisation, are then those of a part (docs/use/cluster.md)."""
    precision: Precision | None = "fp32"
    """Autocast type of encoder and projector; the loss is always computed in float32."""
    compile: bool | None = False
    """Compile encoder and projector (torch.compile; needs a C++ compiler on a CPU, Triton on a GPU)."""
    log_every: Count | None = 10
    """Steps between two lines of metrics.jsonl."""
    checkpoint_minutes: Positive | None = 10.0
    """Minutes between two checkpoints. Another number retrains nothing."""


class PretrainSpec(_Training, _Methods, _Networks):
    """One pretraining run, all settings resolved."""

    def resolved(self) -> "PretrainSpec":
        """The same run without the sections that its method does not read (set to None, or as in LATER).

        So a change of MAST's masks leaves the spec, and with it the results, of a VICReg run alone.
        """
        update: dict[str, object] = {name: LATER.get(name) for name in unread(self.method)}
        if self.policy is not None and "policy" not in update:
            update["policy"] = self.policy.pruned()
        return self.model_copy(update=update)

    def without_pace(self) -> "PretrainSpec":
        """The same training, however often it saves its state: that changes no result, and is no part of its hash."""
        if self.checkpoint_minutes is None:
            return self
        return self.model_copy(update={"checkpoint_minutes": PretrainSpec.model_fields["checkpoint_minutes"].default})

    def sha256(self) -> str:
        """Of the settings that decide the result: `spec_sha256` of the run's record."""
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
    """The sections that a method does not read."""
    own = {method.replace("-", "_")} & SECTIONS.keys()
    return set(PretrainSpec.model_fields) - {"method", "dataset", "encoder"} - METHODS[method].READS - own
