"""Content and order of the first page of the results."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from mast.config.experiment import Experiment
from mast.config.figures import FIGURES
from mast.config.plan import figure_files
from mast.results import Results, suffixed
from mast.settings import StrictModel

MAIN_FIGURE = "losses"
"""Figure below the main table if no figure of its study is drawn."""


class IndexFigure(StrictModel):
    """One figure."""

    name: str
    file: str
    """Path of the figure, `.png`."""
    caption: str


class IndexPart(StrictModel):
    """A part of the page, for a study or for the training runs: tables, figures and captions."""

    title: str
    tables: Annotated[tuple[str, ...], Field(min_length=1)]
    """Paths of the tables, `.html`. Figures are shown below the first one."""
    figures: tuple[IndexFigure, ...] = ()
    note: str = ""


class IndexSpec(StrictModel):
    """The whole page."""

    title: str
    parts: tuple[IndexPart, ...]


def index_spec(experiment: Experiment) -> IndexSpec:
    """Return the page's parts: the first study with its table and a figure, the other studies, then the training runs.

    A figure of studies is shown with the first study in it, and detections with their study. Other figures of runs are
    shown with the training runs.
    """
    results = Results(experiment.results)
    places = {name: _study_of(experiment, name) for name in FIGURES if figure_files(experiment, name)}
    of_study = {name: study for name, study in places.items() if study is not None}
    others = [name for name in places if name not in of_study]
    main = next(iter(experiment.studies), None)
    if main is not None and main not in of_study.values() and others:
        chosen = MAIN_FIGURE if MAIN_FIGURE in others else others[0]
        others.remove(chosen)
        of_study[chosen] = main
    parts = []
    for study, spec in experiment.studies.items():
        tables = [results.table(study)] + [results.comparison(study)] * (spec.compare is not None)
        parts.append(
            IndexPart(
                title=spec.title,
                tables=tuple(str(suffixed(table, ".html")) for table in tables),
                figures=tuple(_figures(results, [name for name, own in of_study.items() if own == study])),
                note=experiment.protocol_caption(study),
            )
        )
    health = str(suffixed(results.health, ".html"))
    parts.append(IndexPart(title="Trainings", tables=(health,), figures=tuple(_figures(results, others))))
    return IndexSpec(title=experiment.name, parts=tuple(parts))


def _study_of(experiment: Experiment, figure: str) -> str | None:
    source = FIGURES[figure]
    if source.reads == "detections":
        return experiment.detection_study(source.shows)
    shown = getattr(experiment.figures, source.shows)
    return next(study for study in experiment.studies if study in shown) if source.of_studies else None


def _figures(results: Results, names: list[str]) -> Iterator[IndexFigure]:
    for name in names:
        yield IndexFigure(name=name, file=str(suffixed(results.figure(name), ".png")), caption=FIGURES[name].caption)
