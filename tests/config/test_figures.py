"""The description in a figure's file is checked, and becomes a section of the configuration."""

import types

import pytest

from mast.columns import ANALYSIS_COLUMNS
from mast.config.figures import FIGURES, Figures, FigureSource
from mast.errors import MastError
from mast.reporting import figures
from mast.settings import parse


def source(**changed: str) -> FigureSource:
    values = {"shows": "masks", "reads": "masks", "caption": "Masks."}
    return parse(FigureSource, {key: value for key, value in (values | changed).items() if value}, "masks.py: SOURCE")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"caption": ""}, r"^masks\.py: SOURCE: caption: Field required$"),
        ({"reads": "mask"}, r"^masks\.py: SOURCE: reads: .*'log'.*'masks'"),
        ({"captoin": "x"}, r"^masks\.py: SOURCE: unknown key 'captoin'; did you mean 'caption'\?$"),
        ({"setting": "epochs"}, r"^masks\.py: SOURCE: setting: only studies show settings"),
    ],
)
def test_a_mistake_is_named(changed: dict[str, str], message: str) -> None:
    with pytest.raises(MastError, match=message):
        source(**changed)


@pytest.mark.parametrize("reads", [*ANALYSIS_COLUMNS, "log", "extremes", "pairs", "detections"])
def test_figures_of_runs_and_of_studies_are_told_apart(reads: str) -> None:
    assert not source(reads=reads).of_studies
    assert source(reads="table", setting="epochs").of_studies and source(reads="comparison").of_studies


def test_keys_are_those_that_figures_show() -> None:
    assert set(Figures.model_fields) == {source.shows for source in FIGURES.values()}
    assert all(field.description for field in Figures.model_fields.values())
    assert Figures().masks == ()


def test_a_figure_without_its_function_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "import_module", lambda name: types.ModuleType(name))
    with pytest.raises(MastError, match=r"figures/masks\.py: has no function draw\(runs, output_stem\)"):
        figures.load("masks")
