"""MAST-aware, an extension of ours: blocks of features keep what augmentations change (docs/understand/method.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from mast.augment.operations import AUGMENTATIONS
from mast.augment.settings import AugmentationName
from mast.methods import Outcome, vicreg
from mast.methods._prediction import build_heads, predict, prediction_loss
from mast.methods._spaces import (
    build_projectors,
    check_spaces,
    default_spaces,
    draw_keys,
    space_terms,
    spaces_of_views,
)
from mast.settings import Count, NonNegative, StrictModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator, Tensor, nn

    from mast.augment.policy import Policy
    from mast.augment.views import Drawn, View, Views
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
    """Augmentations whose difference is predicted; each must be in the policy and has its own block of features. Null:
    those that can be undone.
    """
    weight: NonNegative = 4.0
    """Weight of the share of a number's differences that a prediction leaves unexplained, while it explains nothing.
    The weight is half of this when a tenth is explained, and a sixth when half is explained. 0: neither blocks nor
    predictions.
    """
    spaces: tuple[tuple[AugmentationName, ...], ...] | Literal["with-crop"] | None = "with-crop"
    """For each space in addition to the invariant one, the augmentations that its two views share, as in LooC; each
    must be in the policy. Every space needs another view of each image. `with-crop`: a space for crops, if the policy
    draws them, and one for each predicted augmentation, with those that hide it (jitter with grayscale). Null: the same
    without the space for crops. Empty: no spaces; with weight 0 that is VICReg.
    """
    space_weight: NonNegative = 1.0
    """Weight of a space relative to that of the invariant one, as in LooC."""
    free: Annotated[float, Field(gt=0, lt=1)] = 0.0625
    """Share of the features that are in blocks, in equal parts for the predicted augmentations; at least one feature
    for each.
    """
    hidden: Count = 512
    """Width of a head's hidden layers."""


class MastAware(vicreg.Vicreg):
    """VICReg's terms on features without the blocks; predictions from each block; spaces that use all features."""

    SETTINGS: ClassVar[type[StrictModel] | None] = MastAwareSpec

    @classmethod
    def check(cls, spec: Any) -> None:
        """Check that the policy draws what is predicted or shared, and that something is predicted."""
        super().check(spec)
        own = spec.mast_aware
        spec.policy.require(own.predict or (), "mast_aware.predict")
        check_spaces(own.spaces, spec, "mast_aware.spaces")
        if own.weight and not cls(spec)._names:
            what = "names nothing" if own.predict is not None else "none of policy.augmentations can be undone"
            raise ValueError(f"mast_aware.predict: {what}; name what is to be predicted, or set mast_aware.weight to 0")

    def networks(self, features: int, classes: list[int]) -> dict[str, nn.Module]:
        """Return the projectors of the spaces, the masks of the blocks, and a head for each predicted augmentation.

        Raises:
            MastError: the number of predicted augmentations is not below the number of features.
        """
        from mast.errors import MastError
        from mast.models.masks import FeatureMasks

        own, networks = self.spec.mast_aware, super().networks(features, classes)
        if self._spaces:
            networks["projectors"] = build_projectors(features, self.spec, len(self._spaces))
        if not self._names:
            return networks
        width = max(1, int(own.free * features) // len(self._names))
        if width * len(self._names) >= features:
            line = f"{len(self._names)} augmentations are predicted, and the encoder has {features} features"
            raise MastError(f"mast_aware.predict: {line}; name fewer")
        heads = build_heads(self._names, self.spec.policy, width, own.hidden, circular=True)
        masks = FeatureMasks(self.spec.policy.names, self._names, features, width)
        return networks | {"feature_masks": masks, "predictors": heads}

    def draw(self, policy: Policy, count: int, generator: Generator) -> Drawn:
        """Draw a query, a key that differs from it in all augmentations, and a key for each space."""
        return draw_keys(policy, count, generator, self._spaces)

    def loss(self, learner: Learner, views: Views, labels: Tensor | None) -> Outcome:
        """Return the weighted sum of the terms of `space_terms`, + Σ_k mean_q w_kq u_kq.

        Embeddings are projector(y ⊙ Π_k m_k) in the invariant space, and projector_i(y) in space i. u_kq is the share
        of the q-th number's differences in augmentation k, between the query and the first key, that its head, from (1
        − m_k) ⊙ y, leaves unexplained; w_kq = press(u_kq).
        """
        spaces = spaces_of_views(len(self._spaces))
        seen = [self._embed(learner, view, chosen) for view, chosen in zip(views, spaces, strict=True)]
        query, *keys = [embeddings for _, embeddings in seen]
        own = self.spec.mast_aware
        plain = self.weighted(space_terms(query, keys, own.space_weight), query[0])
        shares = self._unexplained(learner, [features for features, _ in seen[:2]], list(views)[:2])
        pressed = sum((press(share, own.weight) * share).mean() for share in shares.values())
        terms = plain.terms | {f"unexplained_{name}": share.mean() for name, share in shares.items()}
        return Outcome(plain.loss + pressed, terms, plain.embedding)

    def _embed(self, learner: Learner, view: View, spaces: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
        """Return features [n, D] of one view of this process's images, and all processes' embeddings [N, d].

        Embeddings are those in the invariant space and in the spaces with these numbers.
        """
        images = learner.view(view)
        with learner.autocast():
            features = learner.encoder(images)
            core = learner.feature_masks(features) if self._names else features
            own = [learner.projector(core), *(learner.projectors[space](features) for space in spaces)]
        return features, [learner.world.gather(z) for z in own]

    def _unexplained(self, learner: Learner, features: list[Tensor], pair: Sequence[View]) -> dict[str, Tensor]:
        """Return the unexplained share [Q] of each number of its difference, for each predicted augmentation."""
        shares = {}
        for name in self._names:
            free = [learner.feature_masks.free(name, y) for y in features]
            (both,) = predict(learner, [name], *free, pair, circular=True).values()
            shares[name] = unexplained(*both, learner.policy.is_switch(name))
        return shares

    @property
    def _names(self) -> list[str]:
        own = self.spec.mast_aware
        return self._predictable if own.weight else []

    @property
    def _predictable(self) -> list[str]:
        chosen, names = self.spec.mast_aware.predict, self.spec.policy.names
        return [name for name in names if (AUGMENTATIONS[name].can_be_undone if chosen is None else name in chosen)]

    @property
    def _spaces(self) -> tuple[tuple[str, ...], ...]:
        chosen, names = self.spec.mast_aware.spaces, self.spec.policy.names
        if isinstance(chosen, tuple):
            return chosen
        crop = ["crop"] if chosen == "with-crop" and "crop" in names else []
        return default_spaces([*crop, *self._predictable], names)


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
