"""Barlow Twins (Zbontar et al. 2021): the cross-correlation of two views is trained towards the identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mast.methods import TRAINING, Outcome, vicreg
from mast.settings import Positive, StrictModel

if TYPE_CHECKING:
    from torch import Tensor

    from mast.augment.views import Views
    from mast.learner import Learner


class BarlowTwinsSpec(StrictModel):
    """Weights of Barlow Twins' loss."""

    redundancy: Positive = 0.0051
    """λ, the weight of correlations between different dimensions (facebookresearch/barlowtwins, main.py)."""


class BarlowTwins(vicreg.Vicreg):
    """VICReg's encoder, projector and pairs, with another loss."""

    READS: ClassVar[frozenset[str]] = TRAINING | {"projector"}
    SETTINGS: ClassVar[type[StrictModel] | None] = BarlowTwinsSpec

    def loss(self, learner: Learner, views: Views, labels: Tensor | None) -> Outcome:
        """Return Σ_i (1 − C_ii)² + λ Σ_{i≠j} C_ij² of composed pairs."""
        from mast.objectives.contrastive import barlow_twins_terms

        z_a, z_b = (learner.world.gather(learner.embed(view)[1]) for view in views)
        terms = barlow_twins_terms(z_a, z_b)
        loss = terms["invariance"] + self.spec.barlow_twins.redundancy * terms["redundancy"]
        return Outcome(loss, terms, z_a.detach())
