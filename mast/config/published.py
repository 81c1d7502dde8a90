"""Published numbers with their sources (config/published.yaml), and the results that each is shown with."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

import mast
from mast.config.tables import TableRow, TableSpec
from mast.config.text import read_yaml
from mast.errors import MastError
from mast.settings import Count, Name, StrictModel, parse

if TYPE_CHECKING:
    from mast.config.experiment import Experiment

_NAME = Path("config/published.yaml")
DEFAULT_FILES = (_NAME, Path(mast.__file__).parents[1] / _NAME)
"""Default files of published values: in the working directory, then next to the package."""


class PublishedValue(StrictModel):
    """A published number. It is shown with a run that agrees with every key given here."""

    kind: str
    """Kind of the protocol, `linear-lbfgs`, or its family, `linear`."""
    task: Name
    target: str | None = None
    """Target of the task; null for a task with one target."""
    metric: str
    method: str
    encoder: str
    dataset: Name
    """The dataset of pretraining."""
    epochs: Count | None = None
    batch_size: Count | None = None
    augmentations: str | None = None
    """Augmentations as in a run's `policy.augmentations`: `mast5`, `crop+flip`."""
    value: Annotated[float, Field(ge=0, le=100)] | None
    """Value in percent; null if the number is not available."""
    source: str | None = None
    note: str | dict[str, str] = ""
    """How the published protocol differs from ours. If that depends on our protocol, a note for each kind of protocol.
    """

    @model_validator(mode="after")
    def _number_has_source(self) -> Self:
        if self.value is not None and not (self.source or "").strip():
            raise ValueError(f"value {self.value:g} has no source; name one, or set the value to null")
        return self

    @model_validator(mode="after")
    def _notes_of_its_kinds(self) -> Self:
        for kind in self.note if isinstance(self.note, dict) else ():
            if not self.covers(kind):
                raise ValueError(
                    f"note: {kind} is not of kind {self.kind}; name protocols that this number can be compared with"
                )
        return self

    def note_for(self, kind: str) -> str:
        """Return the note for results of a kind of protocol; empty if there is none."""
        return self.note if isinstance(self.note, str) else self.note.get(kind, "")

    def matches(self, kind: str, task: str, target: str, metric: str, row: TableRow) -> bool:
        """Return whether this number belongs with `row` in the column (task, target, metric) of a table of `kind`."""
        same_column = (self.task, self.metric) == (task, metric) and self.target in (None, target)
        same_kind = self.covers(kind)
        same_run = (self.method, self.encoder, self.dataset) == (row.method, row.encoder, row.dataset)
        optional = ("epochs", "batch_size", "augmentations")
        same_settings = all(getattr(self, key) in (None, getattr(row, key)) for key in optional)
        return same_column and same_kind and same_run and same_settings

    def covers(self, kind: str) -> bool:
        """Return whether the number was measured under a kind of protocol, or under its family."""
        return kind == self.kind or kind.startswith(f"{self.kind}-")


class PublishedValues(StrictModel):
    """Content of the file."""

    values: tuple[PublishedValue, ...] = ()


def read_published(path: Path) -> tuple[PublishedValue, ...]:
    """Read the published values.

    Raises:
        MastError: the file is missing or not YAML, a key occurs twice, a key or value is wrong, or a number has no
            source.
    """
    return parse(PublishedValues, read_yaml(path) or {}, str(path)).values


def published_file(named: str | None) -> Path | None:
    """Return the file named by `published`; if it is not set, the one of the working directory or of the checkout, if
    any.
    """
    if named is not None:
        return Path(named)
    return next((file for file in DEFAULT_FILES if file.exists()), None)


def check_published(experiment: "Experiment", values: tuple[PublishedValue, ...]) -> None:
    """Check that no cell of a study's table gets two values.

    Raises:
        MastError: two values match a run of a study equally well.
    """
    for name, study in experiment.studies.items():
        spec = experiment.table_spec(name)
        of_study = [value for value in values if value.task in study.tasks and value.covers(spec.kind)]
        for row in spec.rows if of_study else ():
            for task, target, metric in {(value.task, value.target or "", value.metric) for value in of_study}:
                find_published(tuple(of_study), spec, (task, target, metric), row)


def find_published(
    values: tuple[PublishedValue, ...], spec: TableSpec, column: tuple[str, str, str], row: TableRow
) -> PublishedValue | None:
    """Return the published value for a column (task, target, metric) of a row; the most specific one if several match.

    Raises:
        MastError: two values match equally well.
    """
    matching = [value for value in values if value.matches(spec.kind, *column, row)]
    matching.sort(key=_specificity, reverse=True)
    if len(matching) > 1 and _specificity(matching[0]) == _specificity(matching[1]):
        raise MastError(
            f"published values: two entries match {' '.join(column)} of run {row.run!r} "
            f"(sources: {matching[0].source}; {matching[1].source}); tell them apart by target or epochs"
        )
    return matching[0] if matching else None


def _specificity(value: PublishedValue) -> int:
    return sum(key is not None for key in (value.target, value.epochs, value.batch_size, value.augmentations))
