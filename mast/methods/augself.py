"""AugSelf (Lee et al. 2021) on VICReg: heads predict from the features of two views how their augmentations differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from mast.augment.settings import AugmentationName
from mast.methods import Outcome, vicreg
from mast.methods._prediction import build_heads, predict, prediction_loss
from mast.settings import Count, Positive, StrictModel

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mast.augment.views import Views
    from mast.learner import Learner


class AugSelfSpec(StrictModel):
    """Settings that AugSelf adds to VICReg; defaults are those for STL-10 in hankook/AugSelf (README.md, models.py)."""

    predict: Annotated[
        dict[AugmentationName, Positive],
        Field(min_length=1, default_factory=lambda: {"crop": 1.0, "jitter": 1.0}),
    ]
    """Augmentations whose difference is predicted → weight of the prediction's loss. Each must be in the policy."""
    hue: Literal["linear", "circle"] = "linear"
    """How jitter's hue shift is predicted. `linear`: the difference divided by its range, as in AugSelf. `circle`:
    cosine and sine of the angle between both shifts, because a jitter of ± 0.5 gives the same hue at both ends.
    """
    hidden: Count = 512
    """Width of a head's hidden layers."""


class AugSelf(vicreg.Vicreg):
    """VICReg's pairs and terms, with heads that are discarded after training."""

    SETTINGS: ClassVar[type[StrictModel] | None] = AugSelfSpec

    @classmethod
    def check(cls, spec: Any) -> None:
        """Check that the policy draws the predicted augmentations."""
        super().check(spec)
        spec.policy.require(spec.augself.predict, "augself.predict")

    def networks(self, features: int, classes: list[int]) -> dict[str, nn.Module]:
        """Return the projector, and a head for each predicted augmentation, from two views' features."""
        own, networks = self.spec.augself, super().networks(features, classes)
        heads = build_heads(self._names, self.spec.policy, features, own.hidden, own.hue == "circle")
        return networks | {"predictors": heads}

    def loss(self, learner: Learner, views: Views, labels: Tensor | None) -> Outcome:
        """Return VICReg's loss + Σ_k w_k · ½ [ℓ_k(a, b) + ℓ_k(b, a)], with ℓ_k the loss of head k on views in this
        order.
        """
        from mast.objectives.vicreg import vicreg_terms

        (features_a, own_a), (features_b, own_b) = map(learner.embed, views)
        z_a, z_b = map(learner.world.gather, (own_a, own_b))
        plain = self.weighted(vicreg_terms(z_a, z_b), z_a)
        weights, circular = self.spec.augself.predict, self.spec.augself.hue == "circle"
        found = predict(learner, self._names, features_a, features_b, views, circular)
        losses = {name: prediction_loss(*both, learner.policy.is_switch(name)) for name, both in found.items()}
        loss = plain.loss + sum(weights[name] * value for name, value in losses.items())
        return Outcome(
            loss, plain.terms | {f"predict_{name}": value for name, value in losses.items()}, plain.embedding
        )

    @property
    def _names(self) -> list[str]:
        return [name for name in self.spec.policy.names if name in self.spec.augself.predict]
