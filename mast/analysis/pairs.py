"""Pairs of views as a run trains on them, and the augmentations in which each pair differs, for pictures."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mast.augment.pairing import draw_pair
from mast.augment.policy import Policy, unit_float
from mast.augment.views import Drawn, Views
from mast.config.pretrain import PretrainSpec
from mast.data.crops import PRETRAINING, CropBoxes
from mast.data.prepared.store import PreparedData
from mast.data.prepared.subset import in_place
from mast.files import atomic_path
from mast.methods import METHODS

PAIRS = 6
"""Number of images of which a pair is shown."""


def sample_pairs(spec: PretrainSpec, data: PreparedData, seed: int = 0) -> dict[str, np.ndarray]:
    """Return one pair of views of each of `PAIRS` training images, evenly spaced.

    Args:
        spec: a run's settings.
        data: prepared images of classification.
        seed: seed of the views.

    Returns:
        `images`, `a` and `b`, uint8 [E, S, S, 3]; `active`, bool [E, K]: whether the views differ in an augmentation;
        `names`, str [K]. For a method that trains on single views `b` is empty; without augmentations all arrays are
        empty.
    """
    images = data.images("train")
    rows = np.linspace(0, len(images) - 1, min(PAIRS, len(images))).astype(int)
    shown = torch.from_numpy(np.array(images[rows])).permute(0, 3, 1, 2)
    if spec.policy is None or not spec.policy.names:
        return _arrays(shown[:0], shown[:0], shown[:0], torch.zeros(0, 0, dtype=torch.bool), ())
    policy, generator = Policy(spec.policy, shown.shape[-1]), torch.Generator().manual_seed(seed)
    if in_place(images) and "crop" in policy.names:
        drawn = _draw(spec, policy.in_place(torch.from_numpy(images.sizes(rows))), len(rows), generator)
        wanted = CropBoxes(drawn.boxes(slice(None)), spec.policy.crop.interpolation or PRETRAINING)
        pixels = torch.from_numpy(images.crops(rows, wanted)).movedim(-1, -3)
    else:
        drawn, pixels = _draw(spec, policy, len(rows), generator), shown
    a, *b = (view.augmented(policy, slice(None)) for view in Views.of(pixels, drawn))
    active = torch.zeros(len(rows), len(policy.names), dtype=torch.bool) if drawn.active is None else drawn.active
    return _arrays(shown, a, b[0] if b else a[:0], active, policy.names)


def write_pairs(path: Path, pairs: dict[str, np.ndarray]) -> None:
    """Write the result of `sample_pairs` as a NumPy archive."""
    with atomic_path(path) as temporary:
        np.savez(temporary, **pairs)


def _draw(spec: PretrainSpec, policy: Policy, count: int, generator: torch.Generator) -> Drawn:
    """Draw a pair, also for a method with more views; or a single view."""
    pairing = METHODS[spec.method](spec).pairing()
    if pairing is None:
        return Drawn((policy.sample(count, 0, generator),))
    return Drawn.of_pair(draw_pair(policy, pairing, count, generator))


def _arrays(images: Tensor, a: Tensor, b: Tensor, active: Tensor, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    views = {"images": images, "a": a, "b": b}
    return {
        **{name: _bytes(view) for name, view in views.items()},
        "active": active.numpy(),
        "names": np.array(names, dtype="U"),
    }


def _bytes(images: Tensor) -> np.ndarray:
    """Return the images as uint8 [N, S, S, 3]."""
    return (unit_float(images) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
