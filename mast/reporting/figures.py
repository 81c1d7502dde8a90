"""All figures by name."""

from collections.abc import Callable
from pathlib import Path

from mast.reporting.curves import Runs
from mast.reporting.figure_certainty import draw_certainty
from mast.reporting.figure_clusters import draw_clusters
from mast.reporting.figure_detections import draw_detections
from mast.reporting.figure_differences import draw_differences
from mast.reporting.figure_difficulty import draw_difficulty
from mast.reporting.figure_invariance import draw_invariance
from mast.reporting.figure_length import draw_length
from mast.reporting.figure_losses import draw_losses
from mast.reporting.figure_masks import draw_masks
from mast.reporting.figure_motivation import draw_motivation
from mast.reporting.figure_overlap import draw_overlap
from mast.reporting.figure_retrieval import draw_retrieval
from mast.reporting.figure_uncertainty import draw_uncertainty

FIGURES: dict[str, Callable[[Runs, Path], None]] = {
    "losses": draw_losses,
    "masks": draw_masks,
    "overlap": draw_overlap,
    "clusters": draw_clusters,
    "uncertainty": draw_uncertainty,
    "difficulty": draw_difficulty,
    "certainty": draw_certainty,
    "invariance": draw_invariance,
    "retrieval": draw_retrieval,
    "detections": draw_detections,
    "motivation": draw_motivation,
    "length": draw_length,
    "differences": draw_differences,
}
"""Name of a figure → the function that draws it from files by run label, or by title of a study."""
