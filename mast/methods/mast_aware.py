"""MAST-aware, an extension of ours: features that a mask leaves free predict how views differ
(docs/understand/method.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from mast.augment.operations import AUGMENTATIONS
from mast.augment.settings import AugmentationName
from mast.methods import Outcome, vicreg
from mast.methods._prediction import build_heads, check_predicted, predict, prediction_loss
from mast.settings import Count, NonNegative, StrictModel

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mast.augment.views import View, Views
    from mast.learner import Learner

HALVED = 0.1
"""Explained share at which the weight of a number is half of its weight when nothing is explained."""

SMALLEST = 1e-6
"""Loss of a constant prediction below which there is nothing to explain: the number is the same in all pairs of a
batch.
"""


class MastAwareSpec(StrictModel):
    """Settings that MAST-aware adds to VICReg."""

    predict: tuple[AugmentationName, ...] | None = None
    """Augmentations whose difference is predicted; each must be in the policy. Null: those that can be undone."""
    weight: NonNegative = 4.0
    """Weight of the share of a number's differences that a prediction leaves unexplained, while it explains nothing.
    The weight is half of this when a tenth is explained, and a sixth when half is explained. 0: neither masks nor
    predictions, which is VICReg.
    """
    free: Annotated[float, Field(gt=0, lt=1)] = 0.125
    """Share of the features that masks leave free, in equal parts for the predicted augmentations; at least one feature
    for each.
    """
    hidden: Count = 512
    """Width of a head's hidden layers."""


class MastAware(vicreg.Vicreg):
    """VICReg's pairs and terms, on features from which masks remove what active augmentations leave free."""

    SETTINGS: ClassVar[type[StrictModel] | None] = MastAwareSpec

    @classmethod
    def check(cls, spec: Any) -> None:
        """Check that the policy draws what is predicted, and that something is predicted."""
        super().check(spec)
        own = spec.mast_aware
        check_predicted(own.predict or (), spec, "mast_aware.predict")
        if own.weight and not cls(spec)._names:
            what = "names nothing" if own.predict is not None else "none of policy.augmentations can be undone"
            raise ValueError(f"mast_aware.predict: {what}; name what is to be predicted, or set mast_aware.weight to 0")

    def networks(self, features: int, classes: list[int]) -> dict[str, nn.Module]:
        """Return the projector, the masks, and a head for each predicted augmentation, from the features its mask
        leaves free.

        Raises:
            MastError: the number of predicted augmentations is not below the number of features.
        """
        from mast.errors import MastError
        from mast.models.masks import FeatureMasks

        own, networks = self.spec.mast_aware, super().networks(features, classes)
        if not self._names:
            return networks
        width = max(1, int(own.free * features) // len(self._names))
        if width * len(self._names) >= features:
            line = f"{len(self._names)} augmentations are predicted, and the encoder has {features} features"
            raise MastError(f"mast_aware.predict: {line}; name fewer")
        heads = build_heads(self._names, self.spec.policy, width, own.hidden, circular=True)
        masks = FeatureMasks(self.spec.policy.names, self._names, features, width)
        return networks | {"feature_masks": masks, "predictors": heads}

    def loss(self, learner: Learner, views: Views, labels: Tensor | None) -> Outcome:
        """Return VICReg's loss of z = projector(y ⊙ Π_{k∈A_i} m_k) + Σ_k mean_q w_kq u_kq.

        u_kq is the share of the q-th number's differences in augmentation k that its head, from (1 − m_k) ⊙ y, leaves
        unexplained; w_kq = press(u_kq).
        """
        from mast.objectives.vicreg import vicreg_terms

        if not self._names:
            return super().loss(learner, views, labels)
        (features_a, own_a), (features_b, own_b) = (self._embed(learner, view, views.active) for view in views)
        z_a, z_b = map(learner.world.gather, (own_a, own_b))
        plain = self.weighted(vicreg_terms(z_a, z_b), z_a)
        shares = {}
        for name in self._names:
            free = [learner.feature_masks.free(name, features) for features in (features_a, features_b)]
            (both,) = predict(learner, [name], *free, views, circular=True).values()
            shares[f"unexplained_{name}"] = unexplained(*both, learner.policy.is_switch(name))
        pressed = sum((press(share, self.spec.mast_aware.weight) * share).mean() for share in shares.values())
        terms = plain.terms | {name: share.mean() for name, share in shares.items()}
        return Outcome(plain.loss + pressed, terms, plain.embedding)

    def _embed(self, learner: Learner, view: View, active: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return features [n, D] and embeddings [n, d] of one view of this process's images."""
        from mast.augment.transfer import send

        (active,) = send([active[learner.world.rows(len(view.images))]], view.images.device)
        images = learner.view(view)
        with learner.autocast():
            features = learner.encoder(images)
            return features, learner.projector(learner.feature_masks(features, active))

    @property
    def _names(self) -> list[str]:
        own, names = self.spec.mast_aware, self.spec.policy.names
        if not own.weight:
            return []
        chosen = own.predict
        return [name for name in names if (AUGMENTATIONS[name].can_be_undone if chosen is None else name in chosen)]


def press(share: Tensor, weight: float) -> Tensor:
    """Return w = weight / (1 + e / `HALVED`) for unexplained shares u, with e = max(0, 1 − u); without gradient.

    A number that is not explained yet has a large weight, and one that is explained a small weight. The gradient of w u
    is that of −weight · HALVED · log(HALVED + e), so that the product of the explained shares grows.
    """
    return weight / (1 + (1 - share.detach()).clamp(min=0) / HALVED)


def unexplained(predicted: Tensor, target: Tensor, is_switch: bool) -> Tensor:
    """Return the loss of a head divided by that of the best constant prediction of these targets, [Q]: 1 − R² of
    numbers.

    The result is 0 for a number that is the same everywhere.

    Args:
        predicted: float32 [N, Q].
        target: of the same shape, in [-1, 1]; 0 or 1 for a switch.
        is_switch: see `prediction_loss`; then the best constant's loss is the entropy.
    """
    mean = target.mean(dim=0)
    constant = -(mean.xlogy(mean) + (1 - mean).xlogy(1 - mean)) if is_switch else (target - mean).square().mean(dim=0)
    losses = prediction_loss(predicted, target, is_switch, "none").mean(dim=0)
    return (losses / constant.clamp(min=SMALLEST)).where(constant > SMALLEST, 0)
