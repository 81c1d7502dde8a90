"""CASSLE (Przewięźlikowski et al. 2023) on VICReg: the projector also reads how each view was augmented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from mast.augment.settings import AugmentationName
from mast.methods import Outcome, vicreg
from mast.settings import Count, StrictModel

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mast.augment.policy import Params
    from mast.augment.views import View, Views
    from mast.learner import Learner


CHANNELS = 3


class CassleSpec(StrictModel):
    """Inputs of the projector; defaults are those of gmum/CASSLE's README.md."""

    condition: Annotated[tuple[AugmentationName, ...], Field(min_length=1)] = ("crop", "jitter", "grayscale", "blur")
    """Augmentations whose parameters the projector reads; each must be in the policy."""
    colour_change: bool = True
    """Whether it also reads how jitter changed the mean of each channel (`color_diff` in gmum/CASSLE)."""
    hidden: Count = 64
    """Width of the network that reads them, and of its output."""
    layers: Count = 6
    """Number of linear layers of that network."""


class Cassle(vicreg.Vicreg):
    """VICReg's pairs and terms. The encoder need not erase what an augmentation changed, because the projector can undo
    it.
    """

    SETTINGS: ClassVar[type[StrictModel] | None] = CassleSpec

    @classmethod
    def check(cls, spec: Any) -> None:
        """Check that the policy draws the augmentations that the projector reads."""
        super().check(spec)
        spec.policy.require(spec.cassle.condition, "cassle.condition")
        if spec.cassle.colour_change and "jitter" not in spec.policy.names:
            raise ValueError("cassle.colour_change: 'jitter' is not in policy.augmentations; set it to false")

    def networks(self, features: int, classes: list[int]) -> dict[str, nn.Module]:
        """Return a projector of features and described augmentations, and the network that reads the descriptions.

        The projector has another name than VICReg's, because it reads more than features.
        """
        from mast.augment.policy import Policy
        from mast.models.mlp import build_mlp
        from mast.models.projector import build_projector

        own, policy = self.spec.cassle, Policy(self.spec.policy, image_size=1)
        numbers = self._describe(policy, policy.identity(1)).shape[1] + (CHANNELS if own.colour_change else 0)
        return {
            "conditioned_projector": build_projector(features + own.hidden, self.spec.projector),
            "reader": build_mlp(numbers, own.hidden, own.hidden, own.layers, normalised=True),
        }

    def loss(self, learner: Learner, views: Views, labels: Tensor | None) -> Outcome:
        """Return VICReg's terms of embeddings z = projector([features, reader(described parameters of the view)])."""
        from mast.objectives.vicreg import vicreg_terms

        z_a, z_b = (learner.world.gather(self._embed(learner, view)) for view in views)
        return self.weighted(vicreg_terms(z_a, z_b), z_a)

    def _embed(self, learner: Learner, view: View) -> Tensor:
        import torch

        from mast.augment.description import colour_change

        rows = learner.world.rows(len(view.images))
        params_of_these = {name: values[rows] for name, values in view.params.items()}
        described = self._describe(learner.policy, params_of_these).to(view.images.device, non_blocking=True)
        if self.spec.cassle.colour_change:
            to_apply = view.to_apply(learner.policy, rows)
            described = torch.cat((described, colour_change(learner.policy, view.images, to_apply)), dim=1)
        images = learner.view(view)
        with learner.autocast():
            features = learner.encoder(images)
            read = learner.reader(described.to(features.dtype))
            return learner.conditioned_projector(torch.cat((features, read), dim=1))

    def _describe(self, policy: Any, params: Params) -> Tensor:
        """Return the description of a view's augmentations, float32 [N, Q] on the CPU."""
        import torch

        from mast.augment.description import describe_view

        names = [name for name in policy.names if name in self.spec.cassle.condition]
        return torch.cat([describe_view(policy, name, params) for name in names], dim=1)
