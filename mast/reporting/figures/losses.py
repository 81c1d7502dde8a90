"""Loss terms and collapse indicators over training."""

from pathlib import Path

from matplotlib.figure import Figure

from mast.reporting.read import Runs, over_seeds, read_metrics_log
from mast.reporting.style import WIDTH, legend_text, line_styles, save_figure_of

SOURCE = {
    "shows": "losses",
    "reads": "log",
    "about": "Loss terms over training.",
    "caption": (
        "Loss terms (unweighted, and their weighted sum) and indicators of collapse during pretraining. Lines are "
        "means over seeds, bands reach from the lowest to the highest seed. An embedding standard deviation or "
        "effective rank near zero would mean collapse; of a supervised run, both are those of the features."
    ),
}

PANELS = {
    "loss": "loss (weighted sum)",
    "invariance": "invariance",
    "variance": "variance",
    "covariance": "covariance",
    "embedding_std": "embedding standard deviation",
    "effective_rank": "effective rank (dimensions)",
}
"""Key of metrics.jsonl → title of its panel."""


def draw(runs: Runs, output_stem: Path) -> None:
    """Draw each term of `PANELS` over the steps, a line per run: mean over seeds, band from lowest to highest seed.

    Args:
        runs: label → `metrics.jsonl` of each seed. A run without a term has no line in its panel.
        output_stem: the figure's path without suffix.

    Raises:
        MastError: a file is missing or damaged.
    """
    logs = {label: [read_metrics_log(path) for path in paths] for label, paths in runs.items()}
    trained = any(len(log) for own in logs.values() for log in own)
    save_figure_of(logs if trained else {}, _figure, "None of the runs is trained.", output_stem)


def _figure(logs: dict) -> Figure:
    figure = Figure(figsize=(WIDTH, 5.2))
    axes = figure.subplots(2, 3).flat
    lines = {}
    styles = dict(zip(logs, line_styles(len(logs)), strict=True))
    for axis, (key, title) in zip(axes, PANELS.items(), strict=True):
        for label, own in logs.items():
            curve = over_seeds(own, "step", key)
            if len(curve):
                (lines[label],) = axis.plot(curve.index, curve["mean"], **styles[label])
                axis.fill_between(
                    curve.index, curve["min"], curve["max"], color=styles[label]["color"], alpha=0.2, lw=0
                )
        axis.set_title(title)
        axis.set_xlabel("step")
    figure.legend(
        lines.values(), [legend_text(label) for label in lines], loc="outside lower center", ncols=min(4, len(lines))
    )
    return figure
