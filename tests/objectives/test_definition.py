"""MAST's loss equals the equations in docs/understand/method.md, in float64; `subspace` is in test_subspaces.py."""

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

import mast
from mast.models.settings import MaskSpec, UncertaintySpec

PAIRS, AUGMENTATIONS, DIMENSIONS, FEATURES = 7, 3, 6, 5
WEIGHTS = {"invariance": 10.0, "variance": 20.0, "covariance": 3.0}

SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "none": {"masks": {"kind": "none"}},
    "sigmoid": {"masks": {"kind": "sigmoid", "sparsity": 0.3, "temperature": 0.5}},
    "masked": {"masks": {"variance": "masked", "covariance": "masked"}},
    "not normalised": {"masks": {"normalize": False, "keep": 0.6}},
    **{
        f"{kind}, {form}, {normalize}": {
            "masks": {"normalize": normalize, "temperature": 0.7},
            "uncertainty": {"kind": kind, "form": form},
        }
        for kind, form, normalize in product(("isotropic", "diagonal"), ("relative", "likelihood"), (True, False))
    },
}


def masks_by_hand(logits: np.ndarray, spec: MaskSpec) -> np.ndarray:
    """Soft top-k with its threshold by Brent's method; `sigmoid` has no threshold; `none`: ones."""

    def opened(row: np.ndarray, threshold: float) -> np.ndarray:
        return 1 / (1 + np.exp(-(row - threshold) / spec.temperature))

    if spec.kind == "none":
        return np.ones_like(logits)
    if spec.kind == "sigmoid":
        return opened(logits, 0.0)
    return np.array([opened(row, brentq(lambda t, r=row: opened(r, t).mean() - spec.keep, -50, 50)) for row in logits])


def variances_by_hand(head: torch.nn.Module, features: np.ndarray, smallest: float) -> np.ndarray:
    """What the head predicts of one view."""
    weights = {name: tensor.detach().double().numpy() for name, tensor in head.state_dict().items()}
    hidden = np.maximum(0, features @ weights["hidden.weight"].T + weights["hidden.bias"])
    return smallest + np.log1p(np.exp(hidden @ weights["output.weight"].T + weights["output.bias"]))


def invariance_by_hand(weighted: np.ndarray, weights: np.ndarray, s: np.ndarray, how: UncertaintySpec) -> float:
    """The invariance term with its weight, and the head's term, which has weight 1."""
    each = np.broadcast_to(s, weights.shape)
    likelihood = (weighted / each + weights * np.log(each)).mean()
    if how.form == "likelihood":
        return WEIGHTS["invariance"] * likelihood
    relative = np.clip(1 / s / (1 / s).mean(), 1 / how.max_weight, how.max_weight)
    return WEIGHTS["invariance"] * (relative / relative.mean() * weighted).mean() + likelihood / 2


def regularisers(z: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """VICReg's variance and covariance terms of one view's m ⊙ z."""
    masked = mask * z
    covariance = np.cov(masked, rowvar=False)
    hinge = [max(0.0, 1 - math.sqrt(covariance[j, j] + 1e-4)) for j in range(DIMENSIONS)]
    others = [covariance[j, k] ** 2 for j in range(DIMENSIONS) for k in range(DIMENSIONS) if j != k]
    return sum(hinge) / DIMENSIONS, sum(others) / DIMENSIONS


def loss_by_hand(
    z: np.ndarray, masks: np.ndarray, active: np.ndarray, s: np.ndarray | None, own: MaskSpec, how: UncertaintySpec
) -> float:
    """The weighted sum of all terms."""
    weights = np.ones((PAIRS, DIMENSIONS))
    for i, k in zip(*active.nonzero(), strict=True):
        weights[i] *= masks[k]
    if own.normalize:
        weights /= weights.mean(axis=1, keepdims=True)
    weighted = weights * (z[0] - z[1]) ** 2
    total = WEIGHTS["invariance"] * weighted.mean() if s is None else invariance_by_hand(weighted, weights, s, how)
    for place, weight, where in (
        (0, WEIGHTS["variance"] / 2, own.variance),
        (1, WEIGHTS["covariance"], own.covariance),
    ):
        rows = masks if where == "masked" else np.ones((1, DIMENSIONS))
        total += weight * sum(regularisers(view, row)[place] for view in z for row in rows) / len(rows)
    return total + (own.sparsity * masks.mean() if own.kind == "sigmoid" else 0)


@pytest.mark.parametrize("name", SETTINGS)
def test_loss_is_that_of_the_equations(name: str) -> None:
    torch.manual_seed(0)
    loss = mast.MastLoss(AUGMENTATIONS, DIMENSIONS, FEATURES, **SETTINGS[name], weights=WEIGHTS)
    own, uncertainty = (
        spec(**SETTINGS[name].get(key, {})) for key, spec in (("masks", MaskSpec), ("uncertainty", UncertaintySpec))
    )
    if loss.uncertainty is not None:
        torch.nn.init.normal_(loss.uncertainty.output.weight, std=0.3)  # its start, zero, would hide the features
    z, features = 0.6 * torch.randn(2, PAIRS, DIMENSIONS), torch.randn(2, PAIRS, FEATURES)
    active = torch.rand(PAIRS, AUGMENTATIONS) < 0.6
    masks = masks_by_hand(loss.masks.logits.detach().double().numpy(), own)
    s = None
    if loss.uncertainty is not None:
        views = features.double().numpy()
        s = sum(variances_by_hand(loss.uncertainty, view, uncertainty.min_variance) for view in views)
        assert s.max() / s.min() > uncertainty.max_weight
    expected = loss_by_hand(z.double().numpy(), masks, active.numpy(), s, own, uncertainty)
    assert loss(*z, active, *features).item() == pytest.approx(expected, rel=2e-6)
