"""Which invariance helps which task: accuracy of each task under growing sets of augmentations."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mast.reporting.panels import MARKERS, draw_panels
from mast.reporting.read import Runs
from mast.reporting.style import COLOURS

SETTING = "policy.augmentations"
SPREAD = 0.35
"""Width that the points of one set take, as a share of the distance between sets."""


def draw_motivation(runs: Runs, output_stem: Path) -> None:
    """Draw a panel per task and target, a column per set of augmentations and a marker per kind of run.

    Points are means over seeds, bars their 95 % intervals (none for one seed).

    Args:
        runs: title of a study → its table's CSV; the study shows the setting `policy.augmentations`. Of each task and
            target the first metric is drawn.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    draw_panels(runs, SETTING, _panel, "No set of augmentations is evaluated.", output_stem)


def _panel(axis: Axes, table: pd.DataFrame, labels: list[str]) -> None:
    sets = list(table[SETTING].unique())
    for place, label in enumerate(labels):
        own = table[table["label"] == label].drop_duplicates(SETTING).set_index(SETTING).reindex(sets)
        offset = SPREAD * ((place + 0.5) / len(labels) - 0.5)
        style = {"fmt": MARKERS[place % len(MARKERS)], "color": COLOURS[place % len(COLOURS)], "capsize": 2}
        axis.errorbar(np.arange(len(sets)) + offset, own["mean"], own["interval"], label=label, **style)
    axis.set_xticks(range(len(sets)), [name.replace("+", "\n+") for name in sets], fontsize=8)
    axis.set_xlim(-0.5, len(sets) - 0.5)
    axis.grid(False, axis="x")
