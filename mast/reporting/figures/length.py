"""Accuracy against the length of pretraining."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from mast.reporting.panels import draw_panels
from mast.reporting.read import Runs
from mast.reporting.style import point_style

SOURCE = {
    "shows": "length",
    "reads": "table",
    "setting": "epochs",
    "about": "Studies with the setting `epochs`: accuracy of each task against the length of pretraining.",
    "caption": (
        "Accuracy against the length of pretraining in epochs (logarithmic), everything else equal, a line for each "
        "kind of run. Points are means over seeds, bars 95 % intervals (none for one seed). A dashed line is an "
        "encoder that is not trained, with its interval as a band."
    ),
}

SETTING = SOURCE["setting"]
STEP, MARGIN = 0.02, 0.08
"""Offset between two runs of one length, whose intervals would hide each other, and margin beyond the shortest and the
longest run; as shares of the axis between these.
"""


def draw(runs: Runs, output_stem: Path) -> None:
    """Draw a panel per task and target: accuracy against epochs (logarithmic), a line per label.

    Points are means over seeds, bars their 95 % intervals (none for one seed). A run without epochs, which is not
    trained, is a dashed line with its interval as a band.

    Args:
        runs: title of a study → its table's CSV; the study shows the setting `epochs`. For each task and target the
            first metric is drawn.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    draw_panels(runs, SETTING, _panel, "No length of training is evaluated.", output_stem)


def _panel(axis: Axes, table: pd.DataFrame, labels: list[str]) -> None:
    table = table.assign(epochs=pd.to_numeric(table[SETTING], errors="coerce")).sort_values("epochs", kind="stable")
    trained = table.dropna(subset="epochs")
    lines = [label for label in labels if label in set(trained["label"])]
    lengths = sorted(trained["epochs"].unique())
    span = lengths[-1] / lengths[0] if len(lengths) > 1 else 2
    for place, label in enumerate(lines):
        own = trained[trained["label"] == label]
        beside = own["epochs"] * span ** (STEP * (place - (len(lines) - 1) / 2))
        style = point_style(place) | {"color": _colour(label, labels), "ls": "-"}
        axis.errorbar(beside, own["mean"], own["interval"], label=label, capsize=2, **style)
    for _, row in table[table["epochs"].isna()].iterrows():
        colour = _colour(row["label"], labels)
        axis.axhline(row["mean"], color=colour, ls="--", label=row["label"])
        axis.axhspan(row["mean"] - row["interval"], row["mean"] + row["interval"], color=colour, alpha=0.15, lw=0)
    axis.set_xscale("log")
    axis.set_xticks(lengths, [f"{length:g}" for length in lengths])
    axis.xaxis.set_minor_locator(NullLocator())
    if lengths:
        axis.set_xlim(lengths[0] / span**MARGIN, lengths[-1] * span**MARGIN)
    axis.set_xlabel("epochs")


def _colour(label: str, labels: list[str]) -> str:
    return point_style(labels.index(label))["color"]
