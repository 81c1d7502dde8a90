"""All figures by name."""

from collections.abc import Callable
from pathlib import Path

from mast.reporting.figures.certainty import draw_certainty
from mast.reporting.figures.clusters import draw_clusters
from mast.reporting.figures.detections import draw_detections
from mast.reporting.figures.differences import draw_differences
from mast.reporting.figures.difficulty import draw_difficulty
from mast.reporting.figures.invariance import draw_invariance
from mast.reporting.figures.length import draw_length
from mast.reporting.figures.losses import draw_losses
from mast.reporting.figures.masks import draw_masks
from mast.reporting.figures.motivation import draw_motivation
from mast.reporting.figures.overlap import draw_overlap
from mast.reporting.figures.retrieval import draw_retrieval
from mast.reporting.figures.uncertainty import draw_uncertainty
from mast.reporting.read import Runs

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
