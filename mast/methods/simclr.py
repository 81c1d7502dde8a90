"""SimCLR (Chen et al. 2020): each view finds the other view of its image among all other views of the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mast.methods import TRAINING, Outcome, vicreg
from mast.settings import Positive, StrictModel

if TYPE_CHECKING:
    from torch import Tensor

    from mast.augment.views import Views
    from mast.learner import Learner


class SimclrSpec(StrictModel):
    """Settings of the contrastive loss."""

    temperature: Positive = 0.1
    """τ (google-research/simclr, run.py; the paper has 0.5 for CIFAR-10)."""


class Simclr(vicreg.Vicreg):
    """VICReg's encoder, projector and pairs, with another loss."""

    READS: ClassVar[frozenset[str]] = TRAINING | {"projector"}
    SETTINGS: ClassVar[type[StrictModel] | None] = SimclrSpec

    def loss(self, learner: Learner, views: Views, labels: Tensor | None) -> Outcome:
        """Return NT-Xent of composed pairs."""
        from torch.nn import functional

        from mast.objectives.contrastive import nt_xent

        z_a, z_b = (learner.world.gather(learner.embed(view)[1]).float() for view in views)
        loss = nt_xent(z_a, z_b, self.spec.simclr.temperature)
        spread = functional.normalize(z_a.detach(), dim=1) * z_a.shape[1] ** 0.5  # collapse shows in these, around 1
        return Outcome(loss, {"contrast": loss}, spread)
