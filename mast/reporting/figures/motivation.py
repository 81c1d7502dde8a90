"""Accuracy of each task under growing sets of augmentations: which invariance helps which task."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from mast.reporting.panels import draw_panels
from mast.reporting.read import Runs
from mast.reporting.style import point_style

SOURCE = {
    "shows": "motivation",
    "reads": "table",
    "setting": "policy.augmentations",
    "about": "Studies (not runs) with the setting `policy.augmentations`: accuracy of each task under each set.",
    "caption": (
        "Which invariance helps which task: accuracy after pretraining with each set of augmentations, everything else "
        "equal. An augmentation that erases a factor costs the task that reads it. Points are means over seeds, bars "
        "95 % intervals (none for one seed)."
    ),
}

SETTING = SOURCE["setting"]
SPREAD = 0.35
"""Width of the points of one set, as a share of the distance between sets."""


def draw(runs: Runs, output_stem: Path) -> None:
    """Draw a panel per task and target, a column per set of augmentations and a marker per label; runs of one label and
    set stand above one another.

    Points are means over seeds, bars their 95 % intervals (none for one seed).

    Args:
        runs: title of a study → its table's CSV; the study shows the setting `policy.augmentations`. For each task and
            target the first metric is drawn.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    draw_panels(runs, SETTING, _panel, "No set of augmentations is evaluated.", output_stem)


def _panel(axis: Axes, table: pd.DataFrame, labels: list[str]) -> None:
    sets = list(table[SETTING].unique())
    for place, label in enumerate(labels):
        own = pd.DataFrame({SETTING: sets}).merge(table[table["label"] == label], how="left", on=SETTING)
        offset = SPREAD * ((place + 0.5) / len(labels) - 0.5)
        places = own[SETTING].map(sets.index) + offset
        axis.errorbar(places, own["mean"], own["interval"], label=label, capsize=2, **point_style(place))
    axis.set_xticks(range(len(sets)), [name.replace("+", "\n+") for name in sets], fontsize=8)
    axis.set_xlim(-0.5, len(sets) - 0.5)
    axis.grid(False, axis="x")
