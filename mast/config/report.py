"""What a table shows: the part of a configuration that its rule passes on, and the published values beside it."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from mast.config.pretrain import Method, PretrainSpec
from mast.settings import Count, Name, StrictModel, nearest

Metric = Literal["top1", "top5", "mean_per_class"]
"""What a study may choose to show of a classification."""

NOT_SET = "–"
"""Shown for a setting that a run does not have."""


class TableRow(StrictModel):
    """One run of a table."""

    run: Name
    label: str
    method: Method
    encoder: str
    dataset: Name
    """The data set of pretraining."""
    epochs: Count | None = None
    batch_size: Count | None = None
    augmentations: str | None = None
    """Of pretraining, as shown: `mast5`, `crop+flip`."""
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
    backbone: Literal["frozen", "finetuned"] | None = None
    """Detection: what happens to the encoder."""
    rows: Annotated[tuple[TableRow, ...], Field(min_length=1)]


class ComparisonSpec(TableSpec):
    """One table of differences: the first row's run against each of the others, paired over seeds."""

    rows: Annotated[tuple[TableRow, ...], Field(min_length=2)]
    """The baseline first."""


class PublishedValue(StrictModel):
    """A published number. It stands beside a run that agrees with every key given here."""

    kind: str
    """Kind of the protocol, `linear-lbfgs`, or its family, `linear`."""
    task: Name
    target: str | None = None
    """Target of the task; null for a task with one target."""
    metric: str
    method: str
    encoder: str
    dataset: Name
    """The data set of pretraining."""
    epochs: Count | None = None
    batch_size: Count | None = None
    augmentations: str | None = None
    """As a run's `policy.augmentations`: `mast5`, `crop+flip`."""
    value: Annotated[float, Field(ge=0, le=100)] | None
    """Percent; null where the number is not available."""
    source: str | None = None
    note: str = ""
    """In what the published protocol differs from ours."""

    @model_validator(mode="after")
    def _number_has_source(self) -> Self:
        if self.value is not None and not (self.source or "").strip():
            raise ValueError(f"value {self.value:g} has no source; name one, or set the value to null")
        return self

    def matches(self, kind: str, task: str, target: str, metric: str, row: TableRow) -> bool:
        """Whether this number belongs beside `row` in the column (task, target, metric) of a table of `kind`."""
        same_column = (self.task, self.metric) == (task, metric) and self.target in (None, target)
        same_kind = kind == self.kind or kind.startswith(f"{self.kind}-")
        same_run = (self.method, self.encoder, self.dataset) == (row.method, row.encoder, row.dataset)
        optional = ("epochs", "batch_size", "augmentations")
        same_settings = all(getattr(self, key) in (None, getattr(row, key)) for key in optional)
        return same_column and same_kind and same_run and same_settings


class PublishedValues(StrictModel):
    """`config/published.yaml`."""

    values: tuple[PublishedValue, ...] = ()


def check_setting(key: str) -> None:
    """Raise ValueError unless `key` is the dotted key of one setting of a run."""
    keys = list(_leaf_keys(PretrainSpec))
    if key not in keys:
        raise ValueError(f"{key!r} is not a setting of a run; {nearest(key, keys)}")


def shown_setting(spec: PretrainSpec, key: str) -> str:
    """The value of the setting with a dotted key, as a table shows it; `–` where the run does not have it."""
    value: Any = spec
    for part in key.split("."):
        if value is None:
            return NOT_SET
        value = getattr(value, part)
    return _shown(value)


def table_row(run: str, label: str | None, spec: PretrainSpec, settings: tuple[str, ...]) -> TableRow:
    """The row of a run whose resolved settings are `spec`."""
    return TableRow(
        run=run,
        label=label or run,
        method=spec.method,
        encoder=spec.encoder.name,
        dataset=spec.dataset,
        epochs=spec.epochs,
        batch_size=spec.batch_size,
        augmentations=None if spec.policy is None else shown_setting(spec, "policy.augmentations"),
        settings={key: shown_setting(spec, key) for key in settings},
    )


def distinct(labels: dict[str, str]) -> dict[str, str]:
    """Name → its label, with the name in brackets where two share a label."""
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
    """The model in `Model` or `Model | None`."""
    options = (annotation, *getattr(annotation, "__args__", ()))
    return next((option for option in options if isinstance(option, type) and issubclass(option, BaseModel)), None)
