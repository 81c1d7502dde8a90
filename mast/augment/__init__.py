"""Batched augmentations with explicit parameters, policies, and the pairing of views."""

from mast.augment.pairing import Pair, draw_pair
from mast.augment.policy import Params, Policy

__all__ = ["Pair", "Params", "Policy", "draw_pair"]
