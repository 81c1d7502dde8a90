"""Detection of collapse: thresholds on the indicators of a logged line."""

import logging
from typing import Any

from mast.config.pretrain import PretrainSpec
from mast.pretraining.metrics_log import Record

LOWEST_STD = 0.01
"""Smallest standard deviation of the embeddings, where the target is 1: √VARIANCE_EPSILON of the variance term, whose
gradient fades below it.
"""

LOWEST_RANK = 1.5
"""Smallest effective rank of the embeddings: 1 is a single direction, two equal ones give 2."""

LOWEST_MASK = 0.01
"""Smallest mean of an augmentation's mask; below it less than one dimension in a hundred is left in its subspace."""

log = logging.getLogger(__name__)


class CollapseWatch:
    """Add the signs of collapse to the lines of one run, and warn of each kind once."""

    def __init__(self, spec: PretrainSpec, records: list[Record]) -> None:
        """Start with `records`, the lines before a resume; what they show was already reported."""
        images = spec.batch_size // spec.accumulate
        self._weighs_terms = spec.objective is not None
        self._largest_rank = min(images - 1, spec.projector.output if spec.projector else images)
        self._warned = set(first_signs(records))

    def signs(self, record: Record) -> Record:
        """Return `{"collapsed": [indicator, …]}` for a logged line, or nothing."""
        found = {
            "embedding_std": record["embedding_std"] < LOWEST_STD,
            "effective_rank": record["effective_rank"] < LOWEST_RANK < self._largest_rank,
            "mask_mean": min(record.get("mask_mean", [1.0])) < LOWEST_MASK,
        }
        names = [name for name, collapsed in found.items() if collapsed]
        for name in names:
            if name not in self._warned:
                self._warned.add(name)
                cause, term = _CAUSE[name]
                remedy = term if self._weighs_terms or name == "mask_mean" else "lower optimizer.lr"
                shown = _shown(record[name])
                log.warning("collapse at step %d: %s is %s; %s; %s", record["step"], name, shown, cause, remedy)
        return {"collapsed": names} if names else {}


def first_signs(records: list[Record]) -> dict[str, int]:
    """Return indicator → the first logged step at which it showed a collapse."""
    signs: dict[str, int] = {}
    for record in records:
        for name in record.get("collapsed", []):
            signs.setdefault(name, record["step"])
    return signs


def health(records: list[Record]) -> dict[str, Any] | None:
    """Return the last line's indicators (for masks the lowest mean) and the first signs of collapse; None without
    lines.
    """
    if not records:
        return None
    last = records[-1]
    return {
        "embedding_std": last["embedding_std"],
        "effective_rank": last["effective_rank"],
        "lowest_mask_mean": min(last["mask_mean"]) if "mask_mean" in last else None,
        "collapsed": first_signs(records),
    }


def _shown(value: float | list[float]) -> str:
    return f"{min(value) if isinstance(value, list) else value:.2g}"


_CAUSE = {
    "embedding_std": ("all images are mapped to one point", "raise objective.variance"),
    "effective_rank": ("the embeddings lie on one line", "raise objective.covariance"),
    "mask_mean": ("an augmentation has no subspace left", "lower mast.masks.sparsity"),
}
"""Indicator → its meaning, and what helps; methods without weighted terms have another remedy."""
