"""AugSelf (Lee et al. 2021) on VICReg: heads predict from the features of two views how their augmentations differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from mast.augment.settings import AugmentationName
from mast.methods import Outcome, vicreg
from mast.settings import Count, Positive, StrictModel

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mast.augment.policy import Params, Policy
    from mast.augment.views import Views
    from mast.learner import Learner

LAYERS = 3
"""Of a head (hankook/AugSelf, `load_ss_predictor` in models.py)."""


class AugSelfSpec(StrictModel):
    """What AugSelf adds to VICReg; defaults are those for STL-10 in hankook/AugSelf (README.md, models.py)."""

    predict: Annotated[
        dict[AugmentationName, Positive],
        Field(min_length=1, default_factory=lambda: {"crop": 1.0, "jitter": 1.0}),
    ]
    """Augmentations whose difference is predicted → weight of the prediction's loss. Each is one of the policy's."""
    hue: Literal["linear", "circle"] = "linear"
    """How jitter's turn of the hue is predicted. `linear`: the difference over its range, as AugSelf does. `circle`:
    cosine and sine of the angle between both turns, for a jitter of ± 0.5 has the same hue at both of its ends."""
    hidden: Count = 512
    """Width of a head's hidden layers."""


class AugSelf(vicreg.Vicreg):
    """VICReg's pairs and terms; the heads are thrown away."""

    SETTINGS: ClassVar[type[StrictModel] | None] = AugSelfSpec

    @classmethod
    def check(cls, spec: Any) -> None:
        """What is predicted is drawn."""
        super().check(spec)
        for name in spec.augself.predict:
            if name not in spec.policy.names:
                raise ValueError(
                    f"augself.predict: {name!r} is not in policy.augmentations; leave it out, or add it there"
                )

    def networks(self, features: int, classes: list[int]) -> dict[str, nn.Module]:
        """The projector, and a head for each augmentation that is predicted, from two views' features."""
        from torch import nn

        from mast.augment.policy import Policy
        from mast.models.mlp import build_mlp

        networks = super().networks(features, classes)
        policy, hidden = Policy(self.spec.policy, image_size=1), self.spec.augself.hidden
        one = policy.identity(1)
        outputs = {name: self._target(policy, name, one, one).shape[1] for name in self._names}
        heads = {name: build_mlp(2 * features, hidden, count, LAYERS) for name, count in outputs.items()}
        return networks | {"predictors": nn.ModuleDict(heads)}

    def loss(self, learner: Learner, views: Views, labels: Tensor | None) -> Outcome:
        """VICReg's loss + Σ_k w_k · ½ [ℓ_k(a, b) + ℓ_k(b, a)], ℓ_k the loss of head k on views in this order."""
        from mast.objectives.vicreg import vicreg_terms

        (features_a, own_a), (features_b, own_b) = map(learner.embed, views)
        z_a, z_b = map(learner.world.gather, (own_a, own_b))
        plain = self.weighted(vicreg_terms(z_a, z_b), z_a)
        losses = self._predictions(learner, features_a, features_b, *(view.params for view in views))
        weights = self.spec.augself.predict
        loss = plain.loss + sum(weights[name] * value for name, value in losses.items())
        return Outcome(
            loss, plain.terms | {f"predict_{name}": value for name, value in losses.items()}, plain.embedding
        )

    def _predictions(
        self, learner: Learner, features_a: Tensor, features_b: Tensor, a: Params, b: Params
    ) -> dict[str, Tensor]:
        """The unweighted loss of each head over both orders of the views."""
        import torch

        both = torch.cat((torch.cat((features_a, features_b), dim=1), torch.cat((features_b, features_a), dim=1)))
        losses = {}
        for name in self._names:
            with learner.autocast():
                predicted = learner.predictors[name](both)
            predicted = torch.cat([learner.world.gather(part.float()) for part in predicted.chunk(2)])
            targets = [self._target(learner.policy, name, *views) for views in ((a, b), (b, a))]
            target = torch.cat(targets).to(predicted, non_blocking=True)
            losses[name] = prediction_loss(predicted, target, learner.policy.is_switch(name))
        return losses

    def _target(self, policy: Policy, name: str, first: Params, second: Params) -> Tensor:
        from mast.augment.description import describe_difference

        return describe_difference(policy, name, first, second, self.spec.augself.hue == "circle")

    @property
    def _names(self) -> list[str]:
        return [name for name in self.spec.policy.names if name in self.spec.augself.predict]


def prediction_loss(predicted: Tensor, target: Tensor, is_switch: bool) -> Tensor:
    """The loss of one head, scalar (hankook/AugSelf, `SSObjective` in trainers.py).

    Args:
        predicted: float32 [N, Q].
        target: of the same shape; in [-1, 1], of a switch 0 or 1.
        is_switch: cross-entropy of the logits, where other targets have the mean squared error behind a tanh.
    """
    from torch.nn import functional

    if is_switch:
        return functional.binary_cross_entropy_with_logits(predicted, target)
    return functional.mse_loss(predicted.tanh(), target)
