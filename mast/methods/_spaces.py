"""Spaces in addition to the invariant one: in each, a view shares some augmentations with the query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mast.augment.operations import AUGMENTATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator, Tensor, nn

    from mast.augment.policy import Policy
    from mast.augment.views import Drawn

Space = tuple[str, ...]
"""Names of the augmentations that the two views of a space share."""


def check_spaces(spaces: Sequence[Space] | str | None, spec: Any, key: str) -> None:
    """Raise ValueError unless each space shares augmentations, and only drawn ones; `key` is the key of `spaces`.

    A name of a default or None lists no spaces, and there is nothing to check.
    """
    for place, space in enumerate(spaces if isinstance(spaces, tuple) else ()):
        if not space:
            raise ValueError(f"{key}.{place}: names no augmentation; name one, or leave the space out")
        spec.policy.require(space, f"{key}.{place}")


def default_spaces(shared: Sequence[str], names: Sequence[str]) -> tuple[Space, ...]:
    """Return a space for each augmentation in `shared`, together with those of the policy's `names` that hide it."""
    return tuple(
        (name, *(other for other in names if name in AUGMENTATIONS[other].hides)) for name in dict.fromkeys(shared)
    )


def draw_keys(policy: Policy, count: int, generator: Generator, spaces: Sequence[Space]) -> Drawn:
    """Draw a query and n + 1 keys of `count` images: key 0 shares nothing with the query, key i only space i."""
    from mast.augment.views import Drawn

    query = policy.sample(count, 0, generator)
    keys = (policy.sample(count, 1, generator) | {name: query[name] for name in kept} for kept in ((), *spaces))
    return Drawn((query, *keys))


def build_projectors(features: int, spec: Any, count: int) -> nn.ModuleList:
    """Return a projector for each of `count` spaces, from `features` features (D); `spec` are the run's settings."""
    from torch import nn

    from mast.models.projector import build_projector

    return nn.ModuleList(build_projector(features, spec.projector) for _ in range(count))


def spaces_of_views(count: int) -> list[list[int]]:
    """Return for each view the numbers of the `count` spaces in which it is embedded besides the invariant one.

    The query is in all of them, key 0 in none, key i in space i.
    """
    return [list(range(count)), [], *([place] for place in range(count))]


def space_terms(query: list[Tensor], keys: list[list[Tensor]], weight: float = 1.0) -> dict[str, Tensor]:
    """Return VICReg's terms v as mean_j v(q_0, k_j0) + w Σ_i v(q_i, k_i) / (n + 1), with i = 1…n and j = 0…n.

    With w = 1 these are the pairs and weights of LooC's loss (Xiao et al. 2021, section 3). Its negatives, which in
    space i include the other keys of the same image, have no counterpart in VICReg.

    Args:
        query: embeddings q_0 in the invariant space and q_1…q_n in the others, float [N, d] each.
        keys: for each key its embedding k_j0 in the invariant space and, from the second key on, k_i in its own space.
        weight: weight w ≥ 0 of the other spaces.
    """
    from mast.objectives.vicreg import vicreg_terms

    pairs = []
    for place, (invariant, *own) in enumerate(keys):
        pairs.append((1.0, vicreg_terms(query[0], invariant)))
        pairs += [(weight, vicreg_terms(query[place], z)) for z in own]
    return {name: sum(w * terms[name] for w, terms in pairs) / len(keys) for name in pairs[0][1]}
