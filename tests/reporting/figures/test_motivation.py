"""The figure of augmentation sets shows every point at its value in the table, and refuses a changed table."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from mast.config.experiment import Experiment
from mast.config.plan import figure_files
from mast.errors import MastError
from mast.files import sha256_file, write_sealed_json
from mast.reporting.figures.motivation import SETTING, _panel, draw
from mast.reporting.panels import first_metrics, panel_figure
from mast.reporting.tables.lines import TableLine

COLUMNS = ("task", "target", "metric", "label", SETTING, "mean", "interval")

SAME = [("crop", 40.0), ("mast5", 70.0), ("crop", 90.0)]


@pytest.fixture
def experiment(experiment_of: Callable[..., Experiment]) -> Callable[[list[str], str], Experiment]:
    study = {"title": "Sets", "protocol": "linear", "tasks": ["shapes"], "runs": ["vicreg"]}
    return lambda settings, shown: experiment_of({"sets": study | {"settings": settings}}, {"motivation": [shown]})


def test_figure_is_drawn_from_the_table_of_its_study(experiment: Callable[[list[str], str], Experiment]) -> None:
    files = figure_files(experiment(["policy.augmentations"], "sets"), "motivation")
    assert files == {"Sets": ["results/tables/sets.csv"]}


@pytest.mark.parametrize(
    ("settings", "shown", "message"),
    [
        ([], "sets", r"figures\.motivation: study 'sets' needs 'policy\.augmentations' in its settings"),
        (["policy.augmentations"], "set", r"figures\.motivation: 'set' is not in studies; did you mean 'sets'"),
    ],
)
def test_mistakes_are_named(
    experiment: Callable[[list[str], str], Experiment], settings: list[str], shown: str, message: str
) -> None:
    with pytest.raises(MastError, match=message):
        experiment(settings, shown)


def test_a_table_that_was_changed_is_named(tmp_path: Path) -> None:
    table = tmp_path / "sets.csv"
    table.write_text(",".join([*TableLine._fields, SETTING]) + "\n")
    write_sealed_json(tmp_path / "sets.sources.json", {"files": {"sets.csv": sha256_file(table)}})
    draw({"Sets": [table]}, tmp_path / "figure")
    table.write_text(",".join(COLUMNS) + "\nshapes,hue,top1,VICReg,crop,90.0,1.0\n")
    with pytest.raises(MastError, match=r"sets\.csv: damaged or changed"):
        draw({"Sets": [table]}, tmp_path / "figure")


def test_every_point_is_where_the_table_says() -> None:
    rows = [
        ("shapes", "hue", "top1", "VICReg", "crop", 90.0, 1.0),
        ("shapes", "hue", "top5", "VICReg", "crop", 99.0, 1.0),
        ("shapes", "hue", "top1", "MAST", "crop", 91.0, 1.0),
        ("shapes", "hue", "top1", "VICReg", "mast5", 70.0, 1.0),
    ]
    figure = panel_figure({"Sets": first_metrics(pd.DataFrame(rows, columns=list(COLUMNS)))}, _panel)
    [axis] = figure.axes
    assert [label.get_text() for label in axis.get_xticklabels()] == ["crop", "mast5"]
    vicreg, mast = (container.lines[0] for container in axis.containers)
    assert vicreg.get_ydata()[:2].tolist() == [90, 70]
    assert mast.get_ydata()[0] == 91
    assert vicreg.get_xdata()[0] < 0 < mast.get_xdata()[0]


def test_runs_of_one_label_and_set_are_all_drawn() -> None:
    rows = [("shapes", "hue", "top1", "VICReg", augmentations, mean, 1.0) for augmentations, mean in SAME]
    [axis] = panel_figure({"Sets": first_metrics(pd.DataFrame(rows, columns=list(COLUMNS)))}, _panel).axes
    points = axis.containers[0].lines[0]
    assert points.get_ydata().tolist() == [40, 90, 70]
    assert points.get_xdata().tolist() == [0, 0, 1]
