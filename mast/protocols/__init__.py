"""Protocols: one file per way to evaluate an encoder (docs/use/extending.md)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import SerializerFunctionWrapHandler, model_serializer

from mast.catalogue import Catalogue
from mast.data.known_labels import KnownLabels, KnownObjects
from mast.errors import MastError
from mast.evaluation.inputs import Measured
from mast.settings import StrictModel, nearest

CLASSIFICATION = ("top1", "top5", "mean_per_class")
"""What is measured of a classifier; `top5` of targets with more than 5 classes."""

STAGES = {"features": "evaluate", "images": "finetune", "scenes": "detection"}
"""What protocols read → the stage whose resources their jobs get."""


@dataclass(frozen=True)
class PlannedTask:
    """What is known of a task when the workflow is planned."""

    name: str
    count: int | None
    """Training images; None where only preparing the data tells."""
    labels: Callable[[], KnownLabels | None]
    """Its labels; None where only preparing the data tells."""
    keeps_names: bool
    """Whether images keep the names of their files."""
    objects: Callable[[], KnownObjects | None] = lambda: None
    """Of detection data; None where only preparing the data tells."""
    names: Callable[[], set[bytes] | None] = lambda: None
    """Names of the training images' files, where they are kept; None where only preparing the data tells."""
    here: bool = True
    """Whether its data are on this machine."""


class Protocol(StrictModel):
    """A way to evaluate an encoder: its settings, what it reads, and how it measures."""

    VERSION: ClassVar[int] = 1
    """Raised when a change of the code changes results: those of two versions are not comparable."""
    READS: ClassVar[Literal["features", "images", "scenes"]]
    """`features` of labelled images; or the encoder itself and labelled `images`, or `scenes` with their objects."""
    IGNORES: ClassVar[bool] = False
    """Whether it can do with images for which a class is to be ignored (label −1 of multi-label data)."""
    SHOWN: ClassVar[tuple[str, ...]] = ("top1",)
    """The metrics that tables show, where a study chooses none; the CSV holds all."""
    CHOICES: ClassVar[tuple[str, ...] | None] = None
    """The metrics of which a study may choose one to show; None where that is not known beforehand."""
    AVERAGED: ClassVar[bool] = True
    """Whether tables show the mean over tasks and targets. Not where targets are measures of one task."""
    UNIT: ClassVar[str] = "Accuracy"
    """What the metrics are, in percent."""
    CAPTION: ClassVar[str]
    """What the report says below its tables."""
    TINY: ClassVar[dict[str, Any]] = {}
    """Settings for `scale: tiny`, laid over those of the configuration."""
    LATER: ClassVar[dict[str, Any]] = {}
    """Settings that came later, with the value at which results are what they were without them: there they are left
    out of what is recorded, so that older results stay as they are."""

    @property
    def note(self) -> str:
        """A sentence below tables on how it measures with these settings; empty for none."""
        return ""

    def table_facts(self) -> dict[str, Any]:
        """What tables show of it (fields of `mast.config.tables.TableSpec`)."""
        return {"shown": self.SHOWN, "averaged": self.AVERAGED, "unit": self.UNIT, "note": self.note}

    @property
    def version(self) -> int:
        """Of the code that evaluates with these settings: VERSION, unless a change of the code concerns some alone."""
        return self.VERSION

    @property
    def files(self) -> tuple[str, ...]:
        """Files of the user that it reads."""
        return ()

    @property
    def origin(self) -> str:
        """Where files that are missing are to be had; empty where only the user knows."""
        return ""

    @property
    def feature_pooling(self) -> str:
        """Of protocols that read features: how those are pooled (`mast.evaluation.features.POOLINGS`)."""
        return "global"

    def check(self, name: str, task: PlannedTask) -> None:
        """Compare what it asks for with what a task has, before anything runs; `name` is that in the configuration.

        Raises:
            MastError: `protocols.<name>…: …`
        """

    def check_processes(self, name: str, processes: int) -> None:
        """Compare what it asks for with the number of processes that evaluate together, before anything runs.

        Raises:
            MastError: they cannot; `protocols.<name>…: …`
        """
        if processes > 1:
            raise MastError(
                f"protocols.{name}: {self.kind!r} runs in one process, and {processes} are asked for (GPUs × nodes); "
                f"set resources.{STAGES[self.READS]} to one GPU and one node"
            )

    def doubts(self, task: PlannedTask) -> Iterator[tuple[str, str]]:
        """What will not happen as it is written, on a task: (key, `<what happens>; <what would be right>`)."""
        yield from ()

    def evaluate(self, inputs: Any) -> Measured | None:
        """Measure.

        Args:
            inputs: FeatureInputs where it READS features, else EncoderInputs.

        Returns:
            What was measured; of several processes only that of the first is looked at.

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
        """Refuse a mistyped READS: no rule would belong to it."""
        if getattr(cls, "READS", "images") not in STAGES:
            raise MastError(f"{cls.__module__}: READS is {cls.READS!r}; {nearest(cls.READS, STAGES)}")


class SplitProtocol(Protocol):
    """What protocols share that are scored on labelled images."""

    split: Literal["test", "val"] = "test"
    """`test`: fit on train (with validation), score on test. `val`: fit on train, score on validation (for tuning)."""

    def check_count(self, name: str, task: PlannedTask, key: str) -> None:
        """Raise MastError if the setting `key` is more than the task's training images."""
        value, labels = getattr(self, key), task.labels()
        count = task.count if labels is None else len(labels.fitted(self.split))
        if count is not None and value > count:
            rest = "" if self.split == "test" else " (without the validation images)"
            raise MastError(
                f"protocols.{name}.{key}: {value} is more than the {count} training images of {task.name!r}{rest}; "
                f"choose {count} or less"
            )

    def class_sizes(self, task: PlannedTask, use: Literal["fitted", "scored"]) -> Iterator[tuple[str, np.ndarray]]:
        """Target, and number of images of each of its classes, int64 [C], of those fitted or scored, where known."""
        labels = task.labels()
        if labels is not None:
            yield from labels.class_sizes(getattr(labels, use)(self.split))


PROTOCOLS = Catalogue("mast.protocols", Protocol)
"""Kind → its class."""
