"""VICReg (Bardes et al. 2022): embeddings of an image's two views agree, vary over images, and are not redundant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from mast.methods import TRAINING, Method, Outcome

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mast.augment.settings import PairingSpec
    from mast.augment.views import Views
    from mast.learner import Learner


class Vicreg(Method):
    """Each view passes through encoder and projector on its own (batch statistics per view)."""

    READS: ClassVar[frozenset[str]] = TRAINING | {"projector", "objective"}

    @classmethod
    def check(cls, spec: Any) -> None:
        """Check that views differ; equal views teach nothing."""
        if spec.policy is not None and not spec.policy.names:
            raise ValueError("policy.augmentations: a self-supervised run needs at least one augmentation")

    def networks(self, features: int, classes: list[int]) -> dict[str, nn.Module]:
        """Return the projector."""
        from mast.models.projector import build_projector

        return {"projector": build_projector(features, self.spec.projector)}

    def pairing(self) -> PairingSpec:
        """Return a pairing that draws all augmentations for each view."""
        from mast.augment.pairing import COMPOSED

        return COMPOSED

    def loss(self, learner: Learner, views: Views, labels: Tensor | None) -> Outcome:
        """Return the weighted sum of VICReg's terms on the pairs."""
        from mast.objectives.vicreg import vicreg_terms

        z_a, z_b = (learner.world.gather(learner.embed(view)[1]) for view in views)
        return self.weighted(vicreg_terms(z_a, z_b), z_a)

    def weighted(self, terms: dict[str, Tensor], embedding: Tensor) -> Outcome:
        """Return the sum of the terms with the weights of `objective`; a term that it does not name has weight 1."""
        from mast.objectives.weighted import weighted_sum

        return Outcome(weighted_sum(terms, self.spec.objective.model_dump()), terms, embedding.detach())
