"""The figure of predicted uncertainty has bars from the lowest to the highest seed, also where all seeds agree."""

import pandas as pd
import pytest

from mast.columns import ANALYSIS_COLUMNS
from mast.reporting.figures.uncertainty import _figure
from mast.reporting.read import over_seeds


def seed(value: float) -> pd.DataFrame:
    rows = [("crop", strength, value, 0.0, 10) for strength in (0.0, 1.0)]
    return pd.DataFrame(rows, columns=ANALYSIS_COLUMNS["uncertainty"])


def test_seeds_that_agree_have_bars_of_no_length() -> None:
    own = [seed(0.1)] * 3
    assert (
        over_seeds(own, "strength", "uncertainty")["max"] < over_seeds(own, "strength", "uncertainty")["mean"]
    ).all()
    [axis] = _figure({"MAST": own}).axes
    [bars] = axis.containers[0].lines[2]
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [
        [0.1, pytest.approx(0.1)],
        [0.1, pytest.approx(0.1)],
    ]


def test_bars_reach_from_the_lowest_to_the_highest_seed() -> None:
    [axis] = _figure({"MAST": [seed(0.25), seed(0.5), seed(0.75)]}).axes
    [bars] = axis.containers[0].lines[2]
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [[0.25, 0.75]] * 2
