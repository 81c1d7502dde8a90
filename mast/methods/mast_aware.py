"""MAST-aware, an extension of our own: what a mask leaves free says how views differ (docs/understand/method.md)."""

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
"""Explained share at which a number's weight is half of what it is where nothing is explained."""

SMALLEST = 1e-6
"""A constant prediction's loss below which nothing is to be explained: a number is the same in all pairs of a batch."""


class MastAwareSpec(StrictModel):
    """What MAST-aware adds to VICReg."""

    predict: tuple[AugmentationName, ...] | None = None
    """Augmentations whose difference is predicted; each is one of the policy's. Null: those that can be undone."""
    weight: NonNegative = 4.0
    """Of the share of a number's differences that a prediction leaves unexplained, while it explains nothing; half of
    it where it explains a tenth, a sixth where it explains half. 0: neither masks nor predictions, and so VICReg."""
    free: Annotated[float, Field(gt=0, lt=1)] = 0.125
    """Share of the features that masks leave free, in equal parts for the augmentations that are predicted; at least
    one feature for each."""
    hidden: Count = 512
    """Width of a head's hidden layers."""


class MastAware(vicreg.Vicreg):
    """VICReg's pairs and terms, of features from which masks take what active augmentations leave free."""

    SETTINGS: ClassVar[type[StrictModel] | None] = MastAwareSpec

    @classmethod
    def check(cls, spec: Any) -> None:
        """What is predicted is drawn, and something is."""
        super().check(spec)
        own = spec.mast_aware
        check_predicted(own.predict or (), spec, "mast_aware.predict")
        if own.weight and not cls(spec)._names:
            what = "names nothing" if own.predict is not None else "none of policy.augmentations can be undone"
            raise ValueError(f"mast_aware.predict: {what}; name what is to be predicted, or set mast_aware.weight to 0")

    def networks(self, features: int, classes: list[int]) -> dict[str, nn.Module]:
        """The projector, the masks, and a head for each augmentation that is predicted, from what its mask leaves free.

        Raises:
            MastError: as many augmentations are predicted as there are features, or more.
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
        """VICReg's loss of z = projector(y ⊙ Π_{k∈A_i} m_k) + Σ_k mean_q w_kq u_kq.

        u_kq is the share of the q-th number's differences in augmentation k that its head leaves unexplained, from
        (1 − m_k) ⊙ y; w_kq = `press` of it.
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
        """Features [n, D] and embeddings [n, d] of one view of this process's images."""
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
    """w = weight / (1 + e / `HALVED`) of unexplained shares u, with e = max(0, 1 − u); without gradient.

    What cannot be told yet is pressed for, and what can be told is hardly pressed any more: the gradient of w u is that
    of −weight · HALVED · log(HALVED + e), so that the product of the explained shares grows.
    """
    return weight / (1 + (1 - share.detach()).clamp(min=0) / HALVED)


def unexplained(predicted: Tensor, target: Tensor, is_switch: bool) -> Tensor:
    """The loss of a head over that of the best constant prediction of these targets, [Q]: 1 − R² of numbers.

    0 for a number that is the same everywhere.

    Args:
        predicted: float32 [N, Q].
        target: of the same shape; in [-1, 1], of a switch 0 or 1.
        is_switch: see `prediction_loss`; then the best constant's loss is the entropy.
    """
    mean = target.mean(dim=0)
    constant = -(mean.xlogy(mean) + (1 - mean).xlogy(1 - mean)) if is_switch else (target - mean).square().mean(dim=0)
    losses = prediction_loss(predicted, target, is_switch, "none").mean(dim=0)
    return (losses / constant.clamp(min=SMALLEST)).where(constant > SMALLEST, 0)
