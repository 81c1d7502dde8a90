"""Leave-one-out subspaces (Xiao et al. 2021) with VICReg's terms: one head for each augmentation left free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from mast.augment.operations import AUGMENTATIONS
from mast.augment.settings import AugmentationName
from mast.methods import Outcome, vicreg
from mast.methods._spaces import (
    build_projectors,
    check_spaces,
    default_spaces,
    draw_keys,
    space_terms,
    spaces_of_views,
)
from mast.settings import StrictModel

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from mast.augment.policy import Policy
    from mast.augment.views import Drawn, View, Views
    from mast.learner import Learner


class LoocSpec(StrictModel):
    """Embedding spaces in addition to the one that is invariant to everything."""

    spaces: tuple[tuple[AugmentationName, ...], ...] | None = None
    """For each space, the augmentations to which it is not invariant; each must be in the policy. Every space needs
    another view of each image. Null: one space for each augmentation of the policy, with those that hide it (jitter
    with grayscale, which then has none of its own). Empty: one for each augmentation by itself.
    """


class Looc(vicreg.Vicreg):
    """One query and n + 1 keys of each image: key 0 differs from the query in all augmentations, key i in all but those
    of space i.
    """

    SETTINGS: ClassVar[type[StrictModel] | None] = LoocSpec

    @classmethod
    def check(cls, spec: Any) -> None:
        """Check that the policy draws what is left free, and that each space names an augmentation."""
        super().check(spec)
        check_spaces(spec.looc.spaces, spec, "looc.spaces")

    def networks(self, features: int, classes: list[int]) -> dict[str, nn.Module]:
        """The projector of the space that is invariant to everything, and one for each other space."""
        networks = super().networks(features, classes)
        return networks | {"projectors": build_projectors(features, self.spec, len(self._spaces))}

    def draw(self, policy: Policy, count: int, generator: Generator) -> Drawn:
        """Draw the query and the keys."""
        return draw_keys(policy, count, generator, self._spaces)

    def loss(self, learner: Learner, views: Views, labels: Tensor | None) -> Outcome:
        """Return the weighted sum of the terms of `space_terms`."""
        spaces = spaces_of_views(len(self._spaces))
        query, *keys = [self._embed(learner, view, own) for view, own in zip(views, spaces, strict=True)]
        return self.weighted(space_terms(query, keys), query[0])

    def _embed(self, learner: Learner, view: View, spaces: list[int]) -> list[Tensor]:
        """Embed one view of all processes' images in the space invariant to everything, and in the spaces with these
        numbers.
        """
        features, own = learner.embed(view)
        with learner.autocast():
            others = [learner.projectors[space](features) for space in spaces]
        return [learner.world.gather(z) for z in (own, *others)]

    @property
    def _spaces(self) -> tuple[tuple[AugmentationName, ...], ...]:
        chosen, names = self.spec.looc.spaces, self.spec.policy.names
        if chosen is None:
            hiding = {name for name in names if set(AUGMENTATIONS[name].hides) & set(names)}
            return default_spaces([name for name in names if name not in hiding], names)
        return chosen or tuple((name,) for name in names)
