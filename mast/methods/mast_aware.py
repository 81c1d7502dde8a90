"""MAST-aware, an extension of ours: blocks of features hold what augmentations change (docs/understand/method.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from mast.augment.operations import AUGMENTATIONS
from mast.augment.settings import AugmentationName
from mast.methods import Outcome, vicreg
from mast.methods._prediction import build_heads, check_predicted, predict, prediction_loss
from mast.methods._spaces import build_projectors, check_spaces, draw_keys, space_terms
from mast.settings import Count, NonNegative, StrictModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator, Tensor, nn

    from mast.augment.policy import Policy
    from mast.augment.views import Drawn, View, Views
    from mast.learner import Learner

HALVED = 0.1
"""Explained share at which a number's weight is half of what it is where nothing is explained."""

SMALLEST = 1e-6
"""A constant prediction's loss below which nothing is to be explained: a number is the same in all pairs of a batch."""


class MastAwareSpec(StrictModel):
    """What MAST-aware adds to VICReg."""

    predict: tuple[AugmentationName, ...] | None = None
    """Augmentations whose difference is predicted; each is one of the policy's and has a block of features of its own.
    Null: those that can be undone."""
    weight: NonNegative = 4.0
    """Weight of the share of a number's differences that a prediction leaves unexplained, while it explains nothing;
    half of it where it explains a tenth, a sixth where it explains half. 0: neither blocks nor predictions."""
    spaces: tuple[tuple[AugmentationName, ...], ...] | None = None
    """For each space beside the invariant one, the augmentations that its two views share, as in LooC; each is one of
    the policy's. Every space costs another view of each image. Null: a space for each augmentation that is predicted,
    with those that hide it (jitter with grayscale). Empty: none; with weight 0 that is VICReg."""
    space_weight: NonNegative = 0.5
    """Weight of a space beside that of the invariant one; in LooC it is 1."""
    free: Annotated[float, Field(gt=0, lt=1)] = 0.0625
    """Share of the features that are in blocks, in equal parts for the augmentations that are predicted; at least one
    feature for each."""
    hidden: Count = 512
    """Width of a head's hidden layers."""


class MastAware(vicreg.Vicreg):
    """VICReg's terms of features without the blocks; predictions from each block; spaces that see all features."""

    SETTINGS: ClassVar[type[StrictModel] | None] = MastAwareSpec

    @classmethod
    def check(cls, spec: Any) -> None:
        """What is predicted or shared is drawn, and something is predicted."""
        super().check(spec)
        own = spec.mast_aware
        check_predicted(own.predict or (), spec, "mast_aware.predict")
        check_spaces(own.spaces or (), spec, "mast_aware.spaces")
        if own.weight and not cls(spec)._names:
            what = "names nothing" if own.predict is not None else "none of policy.augmentations can be undone"
            raise ValueError(f"mast_aware.predict: {what}; name what is to be predicted, or set mast_aware.weight to 0")

    def networks(self, features: int, classes: list[int]) -> dict[str, nn.Module]:
        """The projectors of the spaces, the masks of the blocks, and a head for each augmentation that is predicted.

        Raises:
            MastError: as many augmentations are predicted as there are features, or more.
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
        """A query, a key that differs from it in all, and a key for each space."""
        return draw_keys(policy, count, generator, self._spaces)

    def loss(self, learner: Learner, views: Views, labels: Tensor | None) -> Outcome:
        """The terms of `space_terms`, weighted, + Σ_k mean_q w_kq u_kq.

        In the invariant space embeddings are projector(y ⊙ Π_k m_k), in space i projector_i(y). u_kq is the share of
        the q-th number's differences in augmentation k, between the query and the first key, that its head leaves
        unexplained from (1 − m_k) ⊙ y; w_kq = `press` of it.
        """
        count = len(self._spaces)
        spaces = [range(count), [], *([place] for place in range(count))]  # of the query, the first key, the others
        seen = [self._embed(learner, view, chosen) for view, chosen in zip(views, spaces, strict=True)]
        query, *keys = [embeddings for _, embeddings in seen]
        own = self.spec.mast_aware
        plain = self.weighted(space_terms(query, keys, own.space_weight), query[0])
        shares = self._unexplained(learner, [features for features, _ in seen[:2]], list(views)[:2])
        pressed = sum((press(share, own.weight) * share).mean() for share in shares.values())
        terms = plain.terms | {f"unexplained_{name}": share.mean() for name, share in shares.items()}
        return Outcome(plain.loss + pressed, terms, plain.embedding)

    def _embed(self, learner: Learner, view: View, spaces: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
        """Features [n, D] of one view of this process's images, and all processes' embeddings [N, d].

        Embeddings are those in the invariant space and in the spaces of these numbers.
        """
        images = learner.view(view)
        with learner.autocast():
            features = learner.encoder(images)
            core = learner.feature_masks(features) if self._names else features
            own = [learner.projector(core), *(learner.projectors[space](features) for space in spaces)]
        return features, [learner.world.gather(z) for z in own]

    def _unexplained(self, learner: Learner, features: list[Tensor], pair: Sequence[View]) -> dict[str, Tensor]:
        """For each augmentation that is predicted, the unexplained share [Q] of each number of its difference."""
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
        if chosen is not None:
            return chosen
        return tuple(
            (name, *(other for other in names if name in AUGMENTATIONS[other].hides)) for name in self._predictable
        )


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
