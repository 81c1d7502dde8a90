"""Leave-one-out subspaces (Xiao et al. 2021) with VICReg's terms: one head for each augmentation left free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from mast.augment.settings import AugmentationName
from mast.methods import Outcome, vicreg
from mast.settings import StrictModel

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from mast.augment.policy import Policy
    from mast.augment.views import Drawn, View, Views
    from mast.learner import Learner


class LoocSpec(StrictModel):
    """Embedding spaces in addition to the one that is invariant to everything."""

    spaces: tuple[tuple[AugmentationName, ...], ...] = ()
    """For each space, the augmentations to which it is not invariant; each must be in the policy. Every space needs
    another view of each image. Empty: one space for each augmentation of the policy.
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
        for place, space in enumerate(spec.looc.spaces):
            if not space:
                raise ValueError(f"looc.spaces.{place}: names no augmentation; name one, or leave the space out")
            for name in space:
                if name not in spec.policy.names:
                    raise ValueError(
                        f"looc.spaces.{place}: {name!r} is not in policy.augmentations; leave it out or add it there"
                    )

    def networks(self, features: int, classes: list[int]) -> dict[str, nn.Module]:
        """Return the projector of the space that is invariant to everything, and one for each other space."""
        from torch import nn

        from mast.models.projector import build_projector

        networks = super().networks(features, classes)
        others = [build_projector(features, self.spec.projector) for _ in self._spaces]
        return networks | {"projectors": nn.ModuleList(others)}

    def draw(self, policy: Policy, count: int, generator: Generator) -> Drawn:
        """Draw the query and the keys."""
        from mast.augment.views import Drawn

        query = policy.sample(count, 0, generator)
        keys = (
            policy.sample(count, 1, generator) | {name: query[name] for name in kept} for kept in ((), *self._spaces)
        )
        return Drawn((query, *keys))

    def loss(self, learner: Learner, views: Views, labels: Tensor | None) -> Outcome:
        """Return VICReg's terms v of the query's and a key's embeddings: mean_j v_0(q, k_j) + Σ_i v_i(q, k_i) / (n +
        1).

        v_i is in space i, i = 1…n; j = 0…n. These are the pairs and weights of LooC's loss (section 3). LooC's
        negatives, which in space i include the other keys of the same image, have no counterpart in VICReg.
        """
        from mast.objectives.vicreg import vicreg_terms

        query, *keys = views
        z_query, *queries = self._embed(learner, query, list(range(len(self._spaces))))
        pairs = []
        for space, key in enumerate(keys, start=-1):  # the first key has no separate space
            z_key, *own = self._embed(learner, key, [space] if space >= 0 else [])
            pairs.append(vicreg_terms(z_query, z_key))
            pairs += [vicreg_terms(queries[space], z) for z in own]
        terms = {name: sum(pair[name] for pair in pairs) / len(keys) for name in pairs[0]}
        return self.weighted(terms, z_query)

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
        return self.spec.looc.spaces or tuple((name,) for name in self.spec.policy.names)
