"""Pairing: choose which augmentations differ between the two views of an image, and which are shared exactly."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from mast.augment.policy import Params, Policy
from mast.augment.settings import REDRAWN, PairingSpec

COMPOSED = PairingSpec(mixture={"composed": 1.0})
"""Pairing that redraws every augmentation for view b: VICReg's pairs."""


@dataclass(frozen=True)
class Pair:
    """Parameters of two views of each of N images."""

    a: Params
    b: Params
    active: Tensor
    """bool [N, K] on the CPU: True where augmentation k differs between the two views."""


def draw_pair(policy: Policy, spec: PairingSpec, count: int, generator: Generator) -> Pair:
    """Draw both views of `count` images from a CPU generator.

    Each image draws its kind of pair from `spec.mixture`. The augmentations that the kind selects are redrawn for view
    b; all others share view a's draw. In every kind, each view applies each augmentation with that view's own
    probability. A shared draw gives both views the same values, and wherever the view with the lower probability
    applies it, the other view does too.
    """
    first, fresh = policy.draw(count, generator), policy.draw(count, generator)
    chosen = choose_redrawn(policy.names, spec, count, generator)
    second = {name: torch.where(chosen[:, k : k + 1], fresh[name], first[name]) for k, name in enumerate(policy.names)}
    a, b = policy.parameters(first, 0), policy.parameters(second, 1)
    return Pair(a, b, policy.differ(a, b) if policy.names else chosen)


def choose_redrawn(names: Sequence[str], spec: PairingSpec, count: int, generator: Generator) -> Tensor:
    """Return which of `names` are redrawn in each of `count` pairs, bool [count, K]; see PairingSpec."""
    if not names:
        return torch.zeros(count, 0, dtype=torch.bool)
    units = _units(names, spec.groups)
    kinds = list(spec.mixture)
    kind = torch.multinomial(torch.tensor(list(spec.mixture.values())), count, replacement=True, generator=generator)
    one = units[torch.randint(len(units), (count,), generator=generator)]
    choice = {
        "composed": torch.ones_like(one),
        "single": one,
        "crop_plus_one": _crop_plus_one(names, units, count, generator),
        "leave_one_out": ~one if len(units) > 1 else one,
        "subset": torch.rand(one.shape, generator=generator) < _subset_probabilities(names, spec),
    }
    return torch.stack([choice[name] for name in kinds])[kind, torch.arange(count)]


def _units(names: Sequence[str], groups: Sequence[Sequence[str]]) -> Tensor:
    """Return the augmentations that are redrawn together, bool [units, K]: the groups, and each other augmentation
    alone.
    """
    grouped = {name for group in groups for name in group}
    members = [*groups, *([name] for name in names if name not in grouped)]
    units = torch.tensor([[name in unit for name in names] for unit in members])
    return units[units.any(dim=1)]


def _crop_plus_one(names: Sequence[str], units: Tensor, count: int, generator: Generator) -> Tensor:
    is_crop = torch.tensor([name == "crop" for name in names])
    with_crop = (units & is_crop).any(dim=1)
    others = units[~with_crop]
    crop = units[with_crop].any(dim=0).expand(count, -1)
    if len(others) == 0:
        return crop
    return crop | others[torch.randint(len(others), (count,), generator=generator)]


def _subset_probabilities(names: Sequence[str], spec: PairingSpec) -> Tensor:
    given = spec.subset_probability
    return torch.tensor([given.get(name, REDRAWN) if isinstance(given, dict) else given for name in names])
