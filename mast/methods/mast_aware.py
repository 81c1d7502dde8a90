"""MAST-aware, an extension of our own: features also say how views differ in what can be undone (docs/method.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from mast.augment.operations import AUGMENTATIONS
from mast.augment.settings import AugmentationName, PairingSpec
from mast.methods import Outcome
from mast.methods._prediction import build_heads, check_predicted, predict, prediction_loss
from mast.methods.mast import Mast, MastSpec
from mast.models.settings import MaskSpec
from mast.settings import Count, NonNegative, StrictModel

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from mast.learner import Learner

SMALLEST = 1e-3
"""Lower bound of a constant prediction's loss, which is 0 where an augmentation is the same in all pairs of a batch."""


class MastAwareSpec(MastSpec):
    """What MAST-aware adds to VICReg."""

    pairing: PairingSpec = PairingSpec(mixture={"composed": 1.0})
    masks: MaskSpec = MaskSpec(kind="none")
    predict: tuple[AugmentationName, ...] | None = None
    """Augmentations whose difference is predicted; each is one of the policy's. Null: those that can be undone."""
    weight: NonNegative = 1.5
    """Of the share that a prediction leaves unexplained. 0: no predictions, and so MAST with these settings."""
    explained: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of an augmentation's differences that is to be explained: a prediction that explains it is not asked for
    more. 1: as much as can be."""
    hidden: Count = 512
    """Width of a head's hidden layers."""


class MastAware(Mast):
    """MAST's terms, and heads that predict how the two views differ; they are thrown away."""

    SETTINGS: ClassVar[type[StrictModel] | None] = MastAwareSpec

    @property
    def own(self) -> MastAwareSpec:
        """The section of the settings that it reads."""
        return self.spec.mast_aware

    @classmethod
    def check(cls, spec: Any) -> None:
        """What is predicted is drawn."""
        super().check(spec)
        check_predicted(spec.mast_aware.predict or (), spec, "mast_aware.predict")

    def networks(self, features: int, classes: list[int]) -> dict[str, nn.Module]:
        """MAST's, and a head for each augmentation that is predicted, from two views' features."""
        networks = super().networks(features, classes)
        if not self._names:
            return networks
        heads = build_heads(self._names, self.spec.policy, features, self.own.hidden, circular=True)
        return networks | {"predictors": heads}

    def loss(self, learner: Learner, images: Tensor, labels: Tensor | None, generator: Generator) -> Outcome:
        """MAST's loss + weight · Σ_k max(0, u_k − (1 − explained)).

        u_k is the share of the differences in augmentation k that its head leaves unexplained.
        """
        images, pair = learner.draw_pair(images, self.pairing(), generator)
        a, b = (learner.embed(images, view) for view in (pair.a, pair.b))
        base = self.of_views(learner, pair, a, b)
        found = predict(learner, self._names, a[0], b[0], pair, circular=True)
        shares = {name: unexplained(*both, learner.policy.is_switch(name)) for name, both in found.items()}
        missing = sum((share - (1 - self.own.explained)).relu() for share in shares.values())
        loss = base.loss + self.own.weight * missing
        terms = base.terms | {f"unexplained_{name}": share for name, share in shares.items()}
        return Outcome(loss, terms, base.embedding)

    @property
    def _names(self) -> list[str]:
        own = self.own
        if not own.weight:
            return []
        chosen = own.predict
        return [
            name
            for name in self.spec.policy.names
            if (AUGMENTATIONS[name].can_be_undone if chosen is None else name in chosen)
        ]


def unexplained(predicted: Tensor, target: Tensor, is_switch: bool) -> Tensor:
    """The loss of a head over that of the best constant prediction of these targets: a scalar, 1 − R² for numbers.

    Args:
        predicted: float32 [N, Q].
        target: of the same shape; in [-1, 1], of a switch 0 or 1.
        is_switch: see `prediction_loss`; then the best constant's loss is the entropy.
    """
    mean = target.mean(dim=0)
    constant = -(mean.xlogy(mean) + (1 - mean).xlogy(1 - mean)) if is_switch else (target - mean).square()
    return prediction_loss(predicted, target, is_switch) / constant.mean().clamp(min=SMALLEST)
