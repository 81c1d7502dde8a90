"""Parameters of the augmentations: draws on the CPU, strengths, and the values of the identity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Parameters(Protocol):
    """The parameters of one augmentation, one column each."""

    identity: tuple[float, ...] | Tensor
    """Values with which the augmentation does nothing: the same for all images, or one row per image."""

    def draw(self, count: int, generator: Generator) -> Tensor:
        """Return random values, float32 [count, len(identity)]."""

    def at(self, level: float, count: int, generator: Generator) -> Tensor:
        """Return values of strength `level`, float32 [count, len(identity)], otherwise random."""

    def strength(self, values: Tensor) -> Tensor:
        """Return the strength of rows of values, float32 [N] in [0, 1]: 0 for the identity, 1 for the strongest
        allowed.
        """

    def describe(self, values: Tensor) -> Tensor:
        """Return rows of values as numbers without a unit, float32 [N, Q], for networks that read or predict them."""


@dataclass(frozen=True)
class Switch:
    """An augmentation that is on or off. It has no values, and any strength above 0 is 1."""

    identity: tuple[float, ...] = ()

    def draw(self, count: int, generator: Generator) -> Tensor:
        """Return no values; see Parameters."""
        import torch

        return torch.empty(count, 0)

    def at(self, level: float, count: int, generator: Generator) -> Tensor:
        """Return no values; see Parameters."""
        return self.draw(count, generator)

    def strength(self, values: Tensor) -> Tensor:
        """Return 1 for every row; see Parameters."""
        return values.new_ones(len(values))

    def describe(self, values: Tensor) -> Tensor:
        """Return no numbers; see Parameters."""
        return values


@dataclass(frozen=True)
class Uniform:
    """Independent values, uniform between `low` and `high`.

    A value's strength is its distance from the identity, as a share of the largest that the range allows on that side;
    the strength of several values is the mean of theirs.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    identity: tuple[float, ...]

    @classmethod
    def of_one(cls, bounds: tuple[float, float], identity: float) -> Self:
        """Build the parameters of a single value."""
        return cls((bounds[0],), (bounds[1],), (identity,))

    def draw(self, count: int, generator: Generator) -> Tensor:
        """Draw values; see Parameters."""
        low, high, _ = self._tensors
        return low + (high - low) * self._random(count, generator)

    def at(self, level: float, count: int, generator: Generator) -> Tensor:
        """Return values of one strength; see Parameters."""
        above, below, identity = self._reach()
        upwards = self._random(count, generator) < (above > 0).float() / (1 + (below > 0).float())
        return identity + level * above.where(upwards, -below)

    def strength(self, values: Tensor) -> Tensor:
        """Return the strength of values; see Parameters."""
        above, below, identity = self._reach()
        free = (above > 0) | (below > 0)
        offset = values - identity
        reach = above.where(offset > 0, below)
        share = (offset.abs() / reach.clamp(min=1e-12)).where(reach > 0, 0)
        return (share[:, free].sum(dim=1) / max(1, int(free.sum()))).clamp(0, 1)

    def describe(self, values: Tensor) -> Tensor:
        """Return the distances from the identity, each divided by its range with the identity in it; 0 for a range of
        one value.
        """
        above, below, identity = self._reach()
        span = above + below
        return ((values - identity) / span.clamp(min=1e-12)).where(span > 0, 0)

    def _reach(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the largest distances from the identity, above and below it, and the identity, [P] each."""
        low, high, identity = self._tensors
        return (high - identity).clamp(min=0), (identity - low).clamp(min=0), identity

    @cached_property
    def _tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return low, high and identity, [P] each."""
        import torch

        return torch.tensor(self.low), torch.tensor(self.high), torch.tensor(self.identity)

    def _random(self, count: int, generator: Generator) -> Tensor:
        import torch

        return torch.rand(count, len(self.low), generator=generator)


@dataclass(frozen=True)
class UniformInteger(Uniform):
    """Integers from `low` to `high`, both included."""

    def draw(self, count: int, generator: Generator) -> Tensor:
        """Draw integers; see Parameters."""
        low, high, _ = self._tensors
        return low + ((high - low + 1) * self._random(count, generator)).floor()

    def at(self, level: float, count: int, generator: Generator) -> Tensor:
        """Return the nearest integers of one strength; see Parameters."""
        return super().at(level, count, generator).round()
