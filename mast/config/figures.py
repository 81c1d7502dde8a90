"""Description that each file of mast/reporting/figures gives of its figure, and the section `figures` built from it."""

from typing import Annotated, Literal, Self

from pydantic import Field, create_model, model_validator

from mast.catalogue import module_files, stated
from mast.columns import ANALYSIS_COLUMNS
from mast.errors import MastError
from mast.settings import Name, Once, StrictModel, parse


class FigureSource(StrictModel):
    """`SOURCE` of a figure's file: everything that is known of the figure before it is drawn."""

    shows: Name
    """Key of `figures` in the configuration that lists the runs, or the studies, of this figure. Figures may share a
    key.
    """
    reads: Literal["log", "extremes", "pairs", "detections", "table", "comparison", *ANALYSIS_COLUMNS]
    """Files that the figure is drawn from. For figures of runs, one per seed: `log`, the steps of training; a table of
    the analysis by its name; or `extremes` or `pairs`, the analysis's images. For figures of studies: `table`, or
    `comparison`, the table of differences. `detections`: the detections of the first seed of each run, and the
    dataset's manifest.
    """
    setting: str | None = None
    """Dotted key that must be among the `settings` of the studies."""
    about: str = ""
    """Description of the key in config/README.md; only one of the figures that share the key gives it."""
    caption: str
    """Caption of the figure, in the report and on the first page: plain text without markup."""

    @property
    def of_studies(self) -> bool:
        """Whether the figure shows studies rather than runs."""
        return self.reads in ("table", "comparison")

    @model_validator(mode="after")
    def _only_studies_have_settings(self) -> Self:
        if self.setting is not None and not self.of_studies:
            raise ValueError("setting: only studies show settings; leave it out, or read table or comparison")
        return self


FIGURES = {
    name: parse(FigureSource, stated(file, "SOURCE"), f"{file}: SOURCE")
    for name, file in module_files("mast.reporting.figures").items()
}
"""Figure → its `SOURCE`."""


def _descriptions() -> dict[str, str]:
    """Key of the section → its description."""
    about = {source.shows: "" for source in FIGURES.values()}
    about |= {source.shows: source.about for source in FIGURES.values() if source.about}
    for key, text in about.items():
        if not text:
            raise MastError(f"figures.{key}: no figure describes this key; give one of them 'about' in its SOURCE")
    return dict(sorted(about.items()))


Figures = create_model(
    "Figures",
    __base__=StrictModel,
    __module__=__name__,
    __doc__="Runs or studies that the figures show.",
    **{key: (Annotated[tuple[Name, ...], Once], Field((), description=text)) for key, text in _descriptions().items()},
)
