"""The figure of differences shows markers and both intervals at the values of the table of comparisons."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from mast.config.experiment import Experiment
from mast.config.plan import figure_files
from mast.errors import MastError
from mast.reporting.figures.differences import _figure, draw
from mast.reporting.style import figure_style
from mast.reporting.tables.lines import ComparisonLine

COLUMNS = (
    *("task", "target", "metric", "baseline_label", "label", "difference"),
    *("low", "high", "bootstrap_low", "bootstrap_high"),
)


@pytest.fixture
def experiment(experiment_of: Callable[..., Experiment]) -> Callable[..., Experiment]:
    study = {"title": "Probe", "protocol": "linear", "tasks": ["shapes"], "runs": ["vicreg", "mast"]}
    return lambda **more: experiment_of({"probe": study | more}, {"differences": ["probe"]})


def test_figure_is_drawn_from_the_table_of_differences(experiment: Callable[..., Experiment]) -> None:
    files = figure_files(experiment(compare={"baseline": "vicreg", "runs": ["mast"]}), "differences")
    assert files == {"Probe": ["results/tables/probe_comparison.csv"]}


def test_a_study_that_compares_nothing_is_named(experiment: Callable[..., Experiment]) -> None:
    with pytest.raises(MastError, match=r"figures\.differences: study 'probe' compares no runs; give it the key"):
        experiment()


ROWS = [
    ("shapes", "hue", "top1", "VICReg", "MAST", 1.0, -1.0, 3.0, 0.0, 2.0),
    ("shapes", "hue", "top1", "VICReg", "B", -2.0, -5.0, 1.0, -4.0, 0.0),
    ("shapes", "size", "top1", "VICReg", "MAST", 4.0, 3.0, 5.0, 3.5, 4.5),
    ("shapes", "size", "top1", "VICReg", "B", np.nan, np.nan, np.nan, np.nan, np.nan),
    ("all", "mean", "top1", "VICReg", "MAST", 2.5, 2.0, 3.0, 2.2, 2.8),
    ("all", "mean", "top1", "VICReg", "B", -2.0, np.nan, np.nan, np.nan, np.nan),
    ("all", "mean rank", "rank", "VICReg", "MAST", -0.5, -0.6, -0.4, -0.6, -0.4),
]


def test_markers_and_both_intervals_lie_where_the_table_says() -> None:
    table = pd.DataFrame(ROWS[:-1], columns=COLUMNS)
    [axis] = _figure({"Probe": table}).axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["hue", "size", "mean over tasks"]
    assert axis.get_xlabel().endswith("better than VICReg →")
    mast, other = axis.containers
    assert mast.lines[0].get_xdata().tolist() == [1, 4, 2.5]
    assert [segment[:, 0].tolist() for segment in mast.lines[2][0].get_segments()] == [[-1, 3], [3, 5], [2, 3]]
    bars = [line.get_xdata() for line in axis.lines if line.get_linewidth() == 5]
    assert [list(bar) for bar in bars[:4]] == [[0, 2], [3.5, 4.5], [2.2, 2.8], [-4, 0]]
    heights = np.concatenate([mast.lines[0].get_ydata(), other.lines[0].get_ydata()]).astype(float)
    assert heights.round().tolist() == [0, 1, 2, 0, 1, 2]
    assert len(set(heights)) == 6


def test_ranks_have_another_unit_and_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "probe_comparison.csv"
    pictures = []
    for rows in (ROWS, ROWS[:-1]):
        pd.DataFrame(rows, columns=COLUMNS).reindex(columns=ComparisonLine._fields).to_csv(path, index=False)
        draw({"Probe": [path]}, tmp_path / "figure")
        pictures.append((tmp_path / "figure.png").read_bytes())
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("count", [1, 4])
def test_markers_of_several_runs_stand_apart(count: int) -> None:
    runs = [f"run {number}" for number in range(count)]
    rows = [("shapes", task, "top1", "V", run, 0.5, 0.1, 0.9, 0.2, 0.8) for task in ("hue", "size") for run in runs]
    figure = _figure({"Probe": pd.DataFrame(rows, columns=COLUMNS)})
    figure.draw_without_rendering()
    [axis] = figure.axes
    marks = [bar.lines[0] for bar in axis.containers]
    pixels = sorted(axis.transData.transform((0, height))[1] for mark in marks for height in mark.get_ydata())
    assert np.diff(pixels).min() > 5 * figure.dpi / 72  # the width of a bar


def styled(tables: dict[str, pd.DataFrame]) -> Figure:
    with figure_style():
        figure = _figure(tables)
        figure.draw_without_rendering()
    return figure


MANY = [f"run {number}" for number in range(5)]


def many(missing: str = "") -> pd.DataFrame:
    """Five runs: the first is clearly worse, the second equally in all seeds, the others are not clearly different."""
    ends = {"run 0": (-4.0, -5.0, -3.0), "run 1": (2.0, 2.0, 2.0)}
    tasks = [("shapes", "hue", "top1"), ("shapes", "size", "top1"), ("all", "worst", "top1")]
    return pd.DataFrame(
        [
            (*task, "V", run, *ends.get(run, (0.5, -0.1, 1.1)), 0, 0)
            for task in tasks
            for run in MANY
            if (task[1], run) != ("size", missing)
        ],
        columns=COLUMNS,
    )


def test_titles_of_panels_side_by_side_are_not_cut() -> None:
    titles = (
        "Linear evaluation, MAST-aware against AugSelf",
        "Nearest neighbours, pretrained on typefaces for 30 epochs",
    )
    figure = styled(
        dict.fromkeys(titles, pd.DataFrame(ROWS, columns=COLUMNS).replace("hue", "a target of some length"))
    )
    for axis, title in zip(figure.axes, titles, strict=True):
        [text] = [text for text in axis.findobj(Text) if text.get_text().replace("\n", " ") == title]
        assert text.get_window_extent().x1 <= figure.bbox.x1


def test_many_runs_are_a_map_of_numbers_and_bold_where_the_interval_leaves_out_zero() -> None:
    [axis] = styled({"Probe": many(missing="run 4")}).axes
    assert axis.get_title(loc="left") == "Probe: differences to V"
    assert [label.get_text() for label in axis.get_xticklabels()] == ["hue", "size", "worst"]
    assert [label.get_text() for label in axis.get_yticklabels()] == MANY
    written = {text.get_position(): (text.get_text(), text.get_weight()) for text in axis.texts}
    rows = [("−4.0", "bold"), ("+2.0", "normal"), *[("+0.5", "normal")] * 3]
    assert written == {(x, y): text for x in range(3) for y, text in enumerate(rows) if (x, y) != (1, 4)}
    colours = axis.images[0].to_rgba(axis.images[0].get_array())
    assert colours[0, 0, 0] > colours[0, 0, 2] and colours[1, 0, 2] > colours[1, 0, 0]  # a loss is red, a gain blue


def test_maps_of_studies_have_fields_of_one_size_and_numbers_inside_them() -> None:
    wide = pd.concat([many().assign(target=f"task {number}", task="shapes") for number in range(12)])
    figure = styled({"Wide": wide, "Few": many()[lambda table: table["label"].isin(MANY[:2])]})
    sizes = {tuple(np.round(np.diff(axis.transData.transform([(0, 0), (1, 1)]), axis=0)[0])) for axis in figure.axes}
    assert len(sizes) == 1
    [(width, height)] = sizes
    for text in (text for axis in figure.axes for text in axis.texts):
        extent = text.get_window_extent()
        assert extent.width < width and extent.height < abs(height)


def test_names_of_tasks_in_a_map_do_not_overlap() -> None:
    for name in ("facing", "characteristics of an aircraft"):
        table = pd.concat([many().assign(target=f"{name}{number}", task="shapes") for number in range(12)])
        names = styled({"Probe": table}).axes[0].get_xticklabels()
        extents = [label.get_window_extent() for label in names]
        turned = names[0].get_rotation() == 45
        assert turned == (name != "facing")
        assert turned or all(left.x1 < right.x0 for left, right in itertools.pairwise(extents))
