"""Masks find the dimensions that each augmentation changes, if these are known and embeddings are not trained."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mast.analysis.masks import subspace_dimensions
from mast.config.pretrain import OptimizerSpec
from mast.models.masks import Masks
from mast.models.settings import MaskSpec
from mast.objectives.mast import pair_weights
from mast.pretraining.optim import build_optimizer, learning_rate, set_learning_rate

pytestmark = pytest.mark.slow(minutes=0.02)

AUGMENTATIONS, DIMENSIONS, PAIRS, STEPS = 4, 40, 32, 300
OPTIMIZER = OptimizerSpec(name="adamw", lr=8e-3, warmup_epochs=1)
"""Optimiser of the embedded experiments, for epochs of a twentieth of the steps."""
LEARNED = {"init_std": 0.01, "lr_factor": 1.0}
"""Settings with which masks find what augmentations change (docs/understand/method.md); the defaults differ."""


def a_fifth_moved(seed: int) -> Tensor:
    """Bool [K, d]: a fifth of the dimensions for each augmentation, at random."""
    generator = torch.Generator().manual_seed(seed)
    ranks = torch.rand(AUGMENTATIONS, DIMENSIONS, generator=generator).argsort(dim=1).argsort(dim=1)
    return ranks < DIMENSIONS / 5


def all_but_one_moved() -> Tensor:
    """Bool [K, d]: 16 dimensions that no augmentation moves, and 6 for each that all others move."""
    own = torch.eye(AUGMENTATIONS, dtype=torch.bool).repeat_interleave(6, dim=1)
    return torch.cat((torch.zeros(AUGMENTATIONS, 16, dtype=torch.bool), ~own), dim=1)


def learn(spec: MaskSpec, truth: Tensor, early: Tensor | None = None, single: bool = False) -> Tensor:
    """Return masks [K, d] trained only by the pair loss, with fixed embeddings.

    Args:
        spec: the masks'.
        truth: which dimensions each augmentation moves, bool [K, d].
        early: which it moves in the first tenth of the training.
        single: whether pairs differ in one augmentation, and not in each with probability 0.75.
    """
    torch.manual_seed(0)
    masks = Masks(AUGMENTATIONS, DIMENSIONS, spec)
    optimizer = build_optimizer(masks, masks.parameters(), spec.lr_factor, OPTIMIZER)
    for step in range(STEPS):
        moved = (truth if early is None or step >= STEPS / 10 else early).float()
        active = torch.rand(PAIRS, AUGMENTATIONS) < 0.75
        if single:
            active = functional.one_hot(torch.randint(AUGMENTATIONS, (PAIRS,)), AUGMENTATIONS).bool()
        differences = (0.1 + 0.1 * active.float() @ moved).sqrt() * torch.randn(PAIRS, DIMENSIONS)
        loss = 15 * (pair_weights(masks(), active, spec.normalize) * differences.square()).mean()
        optimizer.zero_grad()
        loss.backward()
        set_learning_rate(optimizer, learning_rate(OPTIMIZER, step, STEPS // 20, 20, PAIRS))
        optimizer.step()
    return masks().detach()


def right(masks: Tensor, truth: Tensor) -> float:
    """Return the share of closed entries that the augmentation changes; a fifth by chance."""
    closed = masks < 0.5
    return ((closed & truth).sum() / closed.sum()).item()


@pytest.mark.parametrize("early", [None, a_fifth_moved(2)])
def test_closed_dimensions_are_those_that_move(early: Tensor | None) -> None:
    assert right(learn(MaskSpec(**LEARNED), a_fifth_moved(1), early), a_fifth_moved(1)) >= 0.95


def test_masks_that_start_far_apart_stay_as_they_are() -> None:
    assert right(learn(MaskSpec(init_std=1.0, lr_factor=10.0), a_fifth_moved(1)), a_fifth_moved(1)) < 0.75


def test_fast_masks_close_what_moves_before_the_embedding_has_settled() -> None:
    fast = MaskSpec(init_std=0.01, lr_factor=10.0)
    assert right(learn(fast, a_fifth_moved(1), a_fifth_moved(2)), a_fifth_moved(1)) < 0.6


def test_with_room_for_them_dimensions_are_unique_to_one_subspace() -> None:
    masks = learn(MaskSpec(**LEARNED, keep=0.55), all_but_one_moved(), single=True)
    table = subspace_dimensions(masks, ["a", "b", "c", "d"])
    assert (table["unique"] > 5).all() and (table["unique_chance"] < 2.5).all()
