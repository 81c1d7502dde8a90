"""The figure of retrieval shows means over seeds with Student's interval, and chance for each number of images."""

import pandas as pd
import pytest

from mast.reporting.figures.retrieval import _figure


def table(embedding: list[float], colour: list[float], images: int = 512) -> pd.DataFrame:
    rows = [("embedding", images, value) for value in embedding] + [("colour", images, value) for value in colour]
    return pd.DataFrame(rows, columns=["representation", "images", "top1"])


def test_points_are_means_over_seeds_with_students_interval_and_chance_is_dashed() -> None:
    figure = _figure({"VICReg, 7 epochs": table([10, 20, 30], [8, 8, 8]), "VICReg, 70 epochs": table([40], [8])})
    [axis] = figure.axes
    drawn = dict(zip(axis.get_legend_handles_labels()[1][1:], axis.containers, strict=True))
    points, _, [bars] = drawn["embedding (projector)"].lines
    assert points.get_xdata().tolist() == [20, 40]
    assert bars.get_segments()[0][:, 0] == pytest.approx([20 - 24.84, 20 + 24.84], abs=0.01)  # 4.303 · 10 / √3
    assert drawn["colour statistics"].lines[0].get_xdata().tolist() == [8, 8]
    [chance] = [line for line in axis.lines if line.get_label() == "chance"]
    assert chance.get_xdata() == pytest.approx([100 / 512] * 2)
    assert [label.get_text() for label in axis.get_yticklabels()] == ["VICReg, 7 epochs", "VICReg, 70 epochs"]
    assert axis.get_ylim()[0] > axis.get_ylim()[1], "the first run on top"


def test_runs_searched_among_different_numbers_of_images_have_a_chance_each() -> None:
    figure = _figure({"large": table([40], [8]), "small": table([40], [8], images=80)})
    dashed = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert dashed == pytest.approx([100 / 80, 100 / 512])


def test_a_supervised_run_has_no_embedding() -> None:
    run = table([], [8])
    [axis] = _figure({"Supervised": run}).axes
    titles = axis.get_legend_handles_labels()[1]
    assert titles == ["chance", "colour statistics"]
