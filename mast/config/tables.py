"""Content of a table: the part of a configuration that its rule passes on."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from mast.config.pretrain import PretrainSpec
from mast.methods import METHODS
from mast.settings import Count, Name, StrictModel, nearest

Metric = Literal["top1", "top5", "mean_per_class"]
"""Metrics that a study of classification can choose from."""

Summary = Literal["mean", "worst", "rank", "corrected mean", "corrected worst"]
"""Summaries over tasks that a study can choose from."""

DEFAULT_SUMMARY: tuple[Summary, ...] = ("mean", "corrected mean")

ALL_TASKS = "all"
"""Name in the place of a task in columns that sum up over tasks; no dataset can have it."""

NOT_SET = "–"
"""Text shown for a setting that a run does not have."""


class TableRow(StrictModel):
    """One run of a table."""

    run: Name
    label: str
    method: str
    with_labels: bool = False
    """Whether the method trains with labels. No other run is then compared with it."""
    encoder: str
    dataset: Name
    """The dataset of pretraining."""
    epochs: Count | None = None
    batch_size: Count | None = None
    augmentations: str | None = None
    """Augmentations of pretraining, as shown: `mast5`, `crop+flip`."""
    settings: Annotated[dict[str, str], Field(default_factory=dict)]
    """Dotted key of a setting → its value as shown."""


class TableSpec(StrictModel):
    """One table: runs × tasks under one protocol."""

    name: Name
    title: str
    caption: str = ""
    protocol: Name
    kind: str
    """Kind of the protocol: `linear-lbfgs`, `knn`, `detection`, …"""
    tasks: Annotated[tuple[Name, ...], Field(min_length=1)]
    metrics: Annotated[dict[Name, Metric], Field(default_factory=dict)]
    """Task → the metric shown, where the study chose one."""
    shown: tuple[str, ...] = ("top1",)
    """Metrics shown for the other tasks: those with which the protocol is usually reported."""
    averaged: bool = True
    """Whether targets and tasks are separate measurements, over which a mean is taken."""
    summary: tuple[Summary, ...] = DEFAULT_SUMMARY
    """Summaries over targets and tasks, as columns in this order."""
    unit: str = "Accuracy"
    """Quantity that the metrics measure, in percent."""
    note: str = ""
    """A sentence below the table on how the protocol measures."""
    rows: Annotated[tuple[TableRow, ...], Field(min_length=1)]


class ComparisonSpec(TableSpec):
    """One table of differences between the first row's run and each of the others, paired over seeds."""

    rows: Annotated[tuple[TableRow, ...], Field(min_length=2)]
    """Rows of the table, the baseline first."""


def check_setting(key: str) -> None:
    """Raise ValueError unless `key` is the dotted key of one setting of a run."""
    keys = list(_leaf_keys(PretrainSpec))
    if key not in keys:
        raise ValueError(f"{key!r} is not a setting of a run; {nearest(key, keys)}")


def shown_setting(spec: PretrainSpec, key: str) -> str:
    """Return the value of the setting with a dotted key, as a table shows it; `–` if the run does not have it."""
    value: Any = spec
    for part in key.split("."):
        if value is None:
            return NOT_SET
        value = getattr(value, part)
    return _shown(value)


def table_row(run: str, label: str | None, spec: PretrainSpec, settings: tuple[str, ...]) -> TableRow:
    """Return the row of a run whose resolved settings are `spec`."""
    return TableRow(
        run=run,
        label=label or run,
        method=spec.method,
        with_labels=METHODS[spec.method].NEEDS_LABELS,
        encoder=spec.encoder.name,
        dataset=spec.dataset,
        epochs=spec.epochs,
        batch_size=spec.batch_size,
        augmentations=None if spec.policy is None else shown_setting(spec, "policy.augmentations"),
        settings={key: shown_setting(spec, key) for key in settings},
    )


def distinct(labels: dict[str, str]) -> dict[str, str]:
    """Return name → label, with the name in brackets where two runs share a label."""
    times = Counter(labels.values())
    return {name: label if times[label] == 1 else f"{label} ({name})" for name, label in labels.items()}


def _shown(value: Any) -> str:
    if value is None or value == ():
        return NOT_SET
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(item)}" for key, item in value.items())
    if isinstance(value, tuple):
        joint = ", " if not all(isinstance(item, str) for item in value) else "+"
        return joint.join(_shown(item) for item in value)
    return str(value)


def _leaf_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        section = _section(field.annotation)
        if section is None:
            yield prefix + name
        else:
            yield from _leaf_keys(section, f"{prefix}{name}.")


def _section(annotation: Any) -> type[BaseModel] | None:
    """Return the model in `Model` or `Model | None`."""
    options = (annotation, *getattr(annotation, "__args__", ()))
    return next((option for option in options if isinstance(option, type) and issubclass(option, BaseModel)), None)
