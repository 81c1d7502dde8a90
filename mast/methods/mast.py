"""MAST: VICReg with a learned mask per augmentation, and pairs weighted by uncertainty (docs/understand/method.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mast.augment.settings import PairingSpec
from mast.methods import Outcome, vicreg
from mast.models.settings import MaskSpec, UncertaintySpec
from mast.settings import StrictModel

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mast.augment.views import Views
    from mast.learner import Learner


class MastSpec(StrictModel):
    """Settings that MAST adds to VICReg."""

    pairing: PairingSpec = PairingSpec()
    masks: MaskSpec = MaskSpec()
    uncertainty: UncertaintySpec = UncertaintySpec()


class Mast(vicreg.Vicreg):
    """Views differ in a subset of the augmentations; masks select the dimensions that are invariant to them."""

    SETTINGS: ClassVar[type[StrictModel] | None] = MastSpec

    def networks(self, features: int, classes: list[int]) -> dict[str, nn.Module]:
        """Return projector, masks and, if configured, the uncertainty head."""
        from mast.models.masks import Masks
        from mast.models.uncertainty import UncertaintyHead

        own, shape = self.spec.mast, (len(self.spec.policy.names), self.spec.projector.output)
        networks = super().networks(features, classes)
        networks["masks"] = Masks(*shape, own.masks)
        if outputs := own.uncertainty.outputs(*shape):
            networks["uncertainty"] = UncertaintyHead(features, outputs, own.uncertainty)
        return networks

    def pairing(self) -> PairingSpec:
        """Return the configured pairing."""
        return self.spec.mast.pairing

    def loss(self, learner: Learner, views: Views, labels: Tensor | None) -> Outcome:
        """Return the weighted sum of MAST's terms on pairs drawn by the configured pairing."""
        from mast.augment.transfer import send
        from mast.objectives.mast import mast_terms

        own = self.spec.mast
        (features_a, z_a), (features_b, z_b) = (map(learner.world.gather, learner.embed(view)) for view in views)
        (active,) = send([views.active], z_a.device)
        variances = (self._variance(learner, features_a), self._variance(learner, features_b))
        terms = mast_terms(z_a, z_b, learner.masks(), active, own.masks, own.uncertainty, *variances)
        return self.weighted(terms, z_a)

    def fast_parameters(self, learner: Learner) -> tuple[list[nn.Parameter], float]:
        """Return the mask logits."""
        return list(learner.masks.parameters()), self.spec.mast.masks.lr_factor

    def logged(self, learner: Learner) -> dict[str, float | list[float]]:
        """Return mean and minimum of each mask, and the mean cosine of two masks."""
        from mast.models.masks import mean_cosine

        masks = learner.masks().detach()
        logged = {"mask_mean": masks.mean(dim=1).tolist(), "mask_min": masks.amin(dim=1).tolist()}
        return logged | ({"mask_overlap": float(mean_cosine(masks))} if len(masks) > 1 else {})

    def stored(self, learner: Learner) -> dict[str, Tensor]:
        """Return projector and uncertainty head as they are, and the values and logits of the masks."""
        tensors = super().stored(learner)
        return tensors | {"masks": learner.masks().detach(), "mask_logits": tensors.pop("masks.logits")}

    def stored_settings(self) -> dict[str, str]:
        """Return the settings from which the uncertainty head is rebuilt."""
        return {"uncertainty": self.spec.mast.uncertainty.model_dump_json()}

    def _variance(self, learner: Learner, features: Tensor) -> Tensor | None:
        return None if self.spec.mast.uncertainty.kind == "none" else learner.uncertainty.of_views(features)
