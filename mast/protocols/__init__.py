"""Protocols: one file per way to evaluate an encoder (docs/use/extending.md)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import SerializerFunctionWrapHandler, model_serializer

from mast.catalogue import Catalogue
from mast.data.known_labels import KnownLabels, KnownObjects
from mast.errors import MastError
from mast.evaluation.inputs import Measured
from mast.settings import StrictModel, nearest

if TYPE_CHECKING:
    from torch import nn

CLASSIFICATION = ("top1", "top5", "mean_per_class")
"""Metrics of a classifier; `top5` for targets with more than 5 classes."""

STAGES = {"features": "evaluate", "images": "finetune", "scenes": "detection"}
"""What a protocol reads → stage whose resources its jobs get."""


@dataclass(frozen=True)
class PlannedTask:
    """What is known about a task when the workflow is planned."""

    name: str
    count: int | None
    """Number of training images; None if not known before preparing."""
    labels: Callable[[], KnownLabels | None]
    """Function that returns its labels; None if not known before preparing."""
    keeps_names: bool
    """Whether images keep the names of their files."""
    objects: Callable[[], KnownObjects | None] = lambda: None
    """Function that returns the objects of detection data; None if not known before preparing."""
    names: Callable[[], set[bytes] | None] = lambda: None
    """Function that returns the names of the training images' files, if they are kept; None if only preparing the data
    tells.
    """
    here: bool = True
    """Whether its data are on this machine."""


class Protocol(StrictModel):
    """A way to evaluate an encoder: its settings, inputs and measurement."""

    VERSION: ClassVar[int] = 1
    """Version of the code. It is raised when a code change alters results: results of two versions are not comparable.
    """
    READS: ClassVar[Literal["features", "images", "scenes"]]
    """Inputs: `features` of labelled images; or the encoder itself and labelled `images`, or `scenes` with their
    objects.
    """
    IGNORES: ClassVar[bool] = False
    """Whether it accepts images for which a class is ignored (label −1 of multi-label data)."""
    SHOWN: ClassVar[tuple[str, ...]] = ("top1",)
    """Metrics that tables show if a study chooses none; the CSV file has all of them."""
    CHOICES: ClassVar[tuple[str, ...] | None] = None
    """Metrics of which a study may choose one to show; None if that is not known beforehand."""
    AVERAGED: ClassVar[bool] = True
    """Whether tables show the mean over tasks and targets; false if targets are measures of one task."""
    UNIT: ClassVar[str] = "Accuracy"
    """Quantity that the metrics measure, in percent."""
    CAPTION: ClassVar[str]
    """Description of the measurement below its tables in the report."""
    TINY: ClassVar[dict[str, Any]] = {}
    """Settings for `scale: tiny`, which replace those of the configuration."""
    LATER: ClassVar[dict[str, Any]] = {}
    """Settings that were added later, with the value that gives the results of before. With this value they are left
    out of the record, so that older results stay valid.
    """

    @property
    def note(self) -> str:
        """Return a sentence below tables on how it measures with these settings; empty if there is none."""
        return ""

    def table_facts(self) -> dict[str, Any]:
        """Return what tables show about it (fields of `mast.config.tables.TableSpec`)."""
        return {"shown": self.SHOWN, "averaged": self.AVERAGED, "unit": self.UNIT, "note": self.note}

    @property
    def version(self) -> int:
        """Version of the code for these settings: VERSION, unless a code change affects only some settings."""
        return self.VERSION

    @property
    def recorded(self) -> dict[str, Any]:
        """Return the settings as metrics files record them: all but `kind`, which has a key of its own there."""
        return self.model_dump(mode="json", exclude={"kind"})

    @property
    def files(self) -> tuple[str, ...]:
        """Files of the user that it reads."""
        return ()

    @property
    def origin(self) -> str:
        """Source of missing files; empty if only the user knows it."""
        return ""

    @property
    def feature_pooling(self) -> str:
        """Pooling of the features that it reads (`mast.evaluation.features.POOLINGS`)."""
        return "global"

    def check(self, name: str, task: PlannedTask) -> None:
        """Check that a task has what the settings need, before anything runs; `name` is the name in the configuration.

        Raises:
            MastError: `protocols.<name>…: …`
        """

    def check_processes(self, name: str, processes: int) -> None:
        """Check that this number of processes can evaluate together, before anything runs.

        Raises:
            MastError: they cannot, `protocols.<name>…: …`
        """
        if processes > 1:
            raise MastError(
                f"protocols.{name}: {self.kind!r} runs in one process, and {processes} are asked for (GPUs × nodes); "
                f"set resources.{STAGES[self.READS]} to one GPU and one node"
            )

    def check_encoder(self, name: str, encoder: str, built: "nn.Module") -> None:
        """Check that it can evaluate an encoder that timm builds, before anything runs.

        Args:
            name: the protocol's name in the configuration.
            encoder: the encoder's name, `timm/…`.
            built: the encoder on torch's meta device, which holds no values.

        Raises:
            MastError: it cannot, `protocols.<name>…: …`
        """

    def doubts(self, task: PlannedTask) -> Iterator[tuple[str, str]]:
        """Return settings without their stated effect on a task: (key, `<what happens>; <what would be right>`)."""
        yield from ()

    def evaluate(self, inputs: Any) -> Measured | None:
        """Evaluate an encoder.

        Args:
            inputs: FeatureInputs if it READS features, else EncoderInputs.

        Returns:
            Results; with several processes, those of the first are used.

        Raises:
            MastError: encoder, data or settings do not fit one another, or training diverges.
            StoppedBySignalError: a signal to stop arrived; a checkpoint was written first.
        """
        raise NotImplementedError

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in serialize(self).items() if self.LATER.get(key, ...) != value}

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Refuse a mistyped READS, which no rule would belong to."""
        if getattr(cls, "READS", "images") not in STAGES:
            raise MastError(f"{cls.__module__}: READS is {cls.READS!r}; {nearest(cls.READS, STAGES)}")


class SplitProtocol(Protocol):
    """Settings shared by protocols that are scored on labelled images."""

    split: Literal["test", "val"] = "test"
    """`test`: fit on train (with validation), score on test. `val`: fit on train, score on validation (for tuning)."""

    def check_count(self, name: str, task: PlannedTask, key: str) -> None:
        """Raise MastError if the setting `key` is more than the number of the task's training images."""
        value, labels = getattr(self, key), task.labels()
        count = task.count if labels is None else len(labels.fitted(self.split))
        if count is not None and value > count:
            rest = "" if self.split == "test" else " (without the validation images)"
            raise MastError(
                f"protocols.{name}.{key}: {value} is more than the {count} training images of {task.name!r}{rest}; "
                f"choose {count} or less"
            )

    def class_sizes(self, task: PlannedTask, use: Literal["fitted", "scored"]) -> Iterator[tuple[str, np.ndarray]]:
        """Yield target and number of images per class, int64 [C], of fitted or scored images, if known."""
        labels = task.labels()
        if labels is not None:
            yield from labels.class_sizes(getattr(labels, use)(self.split))


PROTOCOLS = Catalogue("mast.protocols", Protocol)
"""Kind → class of the protocol."""
