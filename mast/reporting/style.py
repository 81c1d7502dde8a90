"""Style of all figures, and how they are saved: the same input gives the same bytes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from mast.files import atomic_path

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours of Okabe & Ito (2008), which colour-blind readers can tell apart, without their yellow, which is too faint on
white.
"""

MARKERS = ("o", "s", "^", "D")

DASHES = ("-", "--", ":", "-.")

WIDTH = 8.0
"""Width of a figure in inches; at `DPI` 1,280 px, for a README that shows a figure at 800 px."""

DPI = 160

_SETTINGS = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 4,
    "savefig.facecolor": "white",
    "svg.hashsalt": "mast",
    "text.parse_math": False,  # a label with two dollar signs is plain text
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Use matplotlib's defaults with the project's settings, whatever the user's own file sets."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def line_styles(count: int) -> list[dict[str, str]]:
    """Return colour and dash pattern of `count` lines, all different up to 28."""
    pairs = [{"color": colour, "linestyle": dash} for dash in DASHES for colour in COLOURS]
    return list(islice(cycle(pairs), count))


def point_style(place: int) -> dict[str, str]:
    """Return colour and marker of the points of the run at a place in the legend, without a line between them."""
    return {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)], "ls": "none"}


def error_bars(middle: pd.Series, low: pd.Series, high: pd.Series) -> list[pd.Series]:
    """Return the lengths of the bars below and above `middle`, which matplotlib wants not to be negative.

    Where all seeds agree, the last bit of a mean may lie beyond its ends.
    """
    return [(middle - low).clip(lower=0), (high - middle).clip(lower=0)]


def legend_text(label: str) -> str:
    """Return a label as a legend shows it; matplotlib leaves out labels that begin with an underscore."""
    return f" {label}" if label.startswith("_") else label


def save_figure(figure: Figure, output_stem: Path) -> None:
    """Write `<output_stem>.svg` and `.png`, both or none, without date or version of the software."""
    with ExitStack() as written:
        for suffix, metadata in ((".svg", {"Date": None, "Creator": None}), (".png", {"Software": None})):
            temporary = written.enter_context(atomic_path(output_stem.with_name(output_stem.name + suffix)))
            figure.savefig(temporary, format=suffix[1:], dpi=DPI, metadata=metadata)


def save_figure_of(found: Mapping[str, Any], draw: Callable[[Any], Figure], nothing: str, output_stem: Path) -> None:
    """Draw the entries that are not empty with `draw`, and save the figure in the project's style.

    Args:
        found: label → data that were read.
        draw: function from the same mapping to a figure.
        nothing: text of the figure if there is nothing to draw.
        output_stem: the figure's path without suffix.
    """
    found = {label: own for label, own in found.items() if len(own)}
    with figure_style():
        save_figure(draw(found) if found else empty_figure(nothing), output_stem)


def empty_figure(message: str) -> Figure:
    """Return a figure with a text that explains why there is nothing to show."""
    figure = Figure(figsize=(WIDTH, 1.5))
    figure.text(0.5, 0.5, message, ha="center", va="center")
    return figure
