"""The figure of training length shows each run at its epochs and the untrained encoder as a line."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mast.config.experiment import Experiment
from mast.config.plan import figure_files
from mast.errors import MastError
from mast.reporting.figures.length import _panel
from mast.reporting.panels import panel_figure

COLUMNS = ["task", "target", "metric", "label", "epochs", "mean", "interval"]


@pytest.fixture
def experiment(experiment_of: Callable[..., Experiment]) -> Callable[[list[str]], Experiment]:
    return lambda settings: experiment_of(two_studies(settings), {"length": ["first", "second"]})


def two_studies(settings: list[str]) -> dict[str, dict]:
    study = {"title": "Length", "protocol": "linear", "tasks": ["shapes"], "runs": ["vicreg"], "settings": settings}
    return {"first": study, "second": study}


def test_studies_of_one_title_stay_apart(experiment: Callable[[list[str]], Experiment]) -> None:
    assert figure_files(experiment(["epochs"]), "length") == {
        "Length (first)": ["results/tables/first.csv"],
        "Length (second)": ["results/tables/second.csv"],
    }


def test_a_study_without_epochs_is_named(experiment: Callable[[list[str]], Experiment]) -> None:
    with pytest.raises(MastError, match=r"figures\.length: study 'first' needs 'epochs' in its settings"):
        experiment(["batch_size"])


def drawn(rows: list[tuple], **more: list[tuple]) -> Figure:
    tables = {title: pd.DataFrame(own, columns=COLUMNS) for title, own in {"Length": rows, **more}.items()}
    return panel_figure(tables, _panel)


def test_points_lie_at_their_epochs_and_the_untrained_encoder_is_a_line() -> None:
    rows = [
        ("shapes", "hue", "top1", "Untrained", "–", 30.0, 2.0),
        ("shapes", "hue", "top1", "VICReg", "50", 80.0, 1.0),  # not in the order of length
        ("shapes", "hue", "top1", "VICReg", "5", 60.0, 4.0),
        ("shapes", "hue", "top1", "MAST", "5", 61.0, 3.0),
    ]
    [axis] = drawn(rows).axes
    assert axis.get_xscale() == "log"
    assert [label.get_text() for label in axis.get_xticklabels()] == ["5", "50"]
    vicreg, mast = axis.containers
    points, _, [bars] = vicreg.lines
    assert points.get_xdata() == pytest.approx([5, 50], rel=0.05)
    assert points.get_ydata().tolist() == [60, 80]
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [[56, 64], [79, 81]]
    assert mast.lines[0].get_xdata()[0] > points.get_xdata()[0]
    [untrained] = [line for line in axis.lines if line.get_label() == "Untrained"]
    assert np.unique(untrained.get_ydata()) == [30]
    [band] = axis.patches
    assert (band.get_y(), band.get_height()) == (28, 4)


def test_panels_of_several_studies_name_them_and_one_legend_holds_every_run() -> None:
    first = [("shapes", "hue", "top1", "VICReg", 5, 60.0, np.nan), ("all", "mean", "top1", "VICReg", 5, 70.0, np.nan)]
    figure = drawn(first, Boxes=[("scenes", "box", "AP", "MAST", 9, 20.0, np.nan)])
    assert [axis.get_title() for axis in figure.axes] == [
        "Length\nshapes: hue",
        "Length\nmean over tasks",
        "Boxes\nscenes: box",
    ]
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["VICReg", "MAST"]


def test_intervals_beyond_what_accuracy_can_be_do_not_stretch_the_axis() -> None:
    rows = [("shapes", "hue", "top1", "VICReg", epochs, 90.0, 60.0) for epochs in (1, 2)]
    (axis,) = panel_figure({"Length": pd.DataFrame(rows, columns=COLUMNS)}, _panel).axes
    low, high = axis.get_ylim()
    assert 0 < low < 30
    assert 100 < high < 105


def test_a_mean_below_zero_is_on_the_axis() -> None:
    rows = [("all", "corrected worst", "top1", "VICReg", epochs, mean, 60.0) for epochs, mean in ((1, -8.0), (2, 5.0))]
    (axis,) = panel_figure({"Length": pd.DataFrame(rows, columns=COLUMNS)}, _panel).axes
    assert -10 < axis.get_ylim()[0] < -8
