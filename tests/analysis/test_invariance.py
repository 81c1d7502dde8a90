"""Distances between augmented and plain images agree with explicit loops, in every space and subspace."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from mast.analysis.invariance import SHUFFLES, measure_invariance
from mast.augment.settings import PolicySpec

NORMALISATION = torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1)
CPU = torch.device("cpu")


class _Halves(nn.Module):
    """Brightness of the left and of the right half, and 1: a flip swaps the first two."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        left, right = images.mean(dim=(1, 2)).unflatten(1, (2, -1)).mean(dim=2).unbind(1)
        return torch.stack((left, right, torch.ones_like(left)), dim=1)


@pytest.fixture
def images() -> torch.Tensor:
    """Each half of an image has one grey level."""
    levels = torch.randint(0, 256, (6, 1, 1, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return levels.repeat_interleave(4, dim=3).expand(6, 3, 8, 8).contiguous()


def _measure(
    images: torch.Tensor,
    masks: torch.Tensor | None = None,
    projector: nn.Module | None = None,
    names: tuple[str, ...] = ("flip", "grayscale"),
) -> pd.DataFrame:
    policy = PolicySpec(augmentations=names)
    table = measure_invariance(_Halves(), projector, masks, policy, images, NORMALISATION, CPU)
    return table.set_index(["augmentation", "space"])


def test_distances_agree_with_loops(images: torch.Tensor) -> None:
    plain = np.array([[image[0, 0, 0], image[0, 0, 7], 255] for image in images.numpy()], float)
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    moved = np.mean([np.linalg.norm(row - row[[1, 0, 2]]) for row in plain])
    between = np.mean([np.linalg.norm(a - b) for a, b in itertools.combinations(plain, 2)])
    flip = _measure(images).loc["flip", "features"]
    assert flip.drop("shuffled").tolist() == pytest.approx([moved, between, moved / between, 6], rel=1e-5)
    assert np.isnan(flip["shuffled"]), "features have no mask"


def test_grey_images_do_not_move_under_grayscale(images: torch.Tensor) -> None:
    assert _measure(images).loc[("grayscale", "features"), "relative"] == pytest.approx(0, abs=1e-3)


def test_a_subspace_that_leaves_out_what_moves_is_invariant(images: torch.Tensor) -> None:
    # Sum and difference of the halves: a flip turns the sign of the difference and leaves the sum and the constant.
    rotate = nn.Linear(3, 3, bias=False)
    rotate.weight.data = torch.tensor([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [0.0, 0.0, 1.0]])
    masks = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    relative = _measure(images, masks, rotate)["relative"]
    assert relative["flip", "flip"] == pytest.approx(0, abs=1e-5)
    assert relative["flip", "grayscale"] == pytest.approx(relative["flip", "embedding"])
    assert relative["flip", "embedding"] > 0.5


def test_a_mask_that_knows_what_moves_lies_below_its_own_weights_elsewhere(images: torch.Tensor) -> None:
    rotate = nn.Linear(3, 3, bias=False)
    rotate.weight.data = torch.tensor([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [0.0, 0.0, 1.0]])
    knowing, equal = torch.tensor([1.0, 0.0, 1.0]), torch.tensor([0.7, 0.7, 0.7])
    table = _measure(images, torch.stack((knowing, equal)), rotate)
    assert table["shuffled"].notna().sum() == 2, "of each augmentation in its own subspace"
    assert table.loc[("flip", "flip"), "relative"] < 0.01 < 0.2 < table.loc[("flip", "flip"), "shuffled"]
    plain = _spaces_by_hand(images, rotate)
    flipped = _spaces_by_hand(images.flip(3), rotate)
    by_hand = []
    generator = torch.Generator().manual_seed(0)
    for _ in range(SHUFFLES):
        dealt = knowing[torch.randperm(3, generator=generator)].numpy()
        a, b = (rows * dealt / np.linalg.norm(rows * dealt, axis=1, keepdims=True) for rows in (plain, flipped))
        between = np.mean([np.linalg.norm(x - y) for x, y in itertools.combinations(a, 2)])
        by_hand.append(np.linalg.norm(a - b, axis=1).mean() / between)
    assert table.loc[("flip", "flip"), "shuffled"] == pytest.approx(np.mean(by_hand), rel=1e-4)
    grey = table.loc[("grayscale", "grayscale")]
    assert grey["shuffled"] == pytest.approx(grey["relative"], abs=1e-4), "equal weights are the same everywhere"


def _spaces_by_hand(images: torch.Tensor, rotate: nn.Linear) -> np.ndarray:
    return rotate(_Halves()(images.float() / 255)).detach().double().numpy()


def test_augmentation_is_applied_to_every_image_whatever_its_probability(images: torch.Tensor) -> None:
    policy = PolicySpec.model_validate({"augmentations": ["flip"], "flip": {"probability": 0.01}})
    rare = measure_invariance(_Halves(), None, None, policy, images, NORMALISATION, CPU)
    assert rare["moved"].tolist() == _measure(images, names=("flip",))["moved"].tolist()


def test_equal_images_give_zero_and_no_division_by_zero(images: torch.Tensor) -> None:
    same = images[:1].expand(4, -1, -1, -1).clone()
    assert _measure(same)["relative"].tolist() == [0, 0]
