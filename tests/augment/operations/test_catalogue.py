"""Every augmentation of the catalogue follows the common rules."""

import subprocess
import sys

import pytest
import torch

from mast.augment.operations import AUGMENTATIONS
from mast.augment.policy import Policy
from mast.augment.settings import FIFTEEN, NAMES, PolicySpec

SIZE = 96


def alone(name: str) -> Policy:
    return Policy(PolicySpec.model_validate({"augmentations": [name], name: {"probability": 1.0}}), SIZE)


def images(count: int) -> torch.Tensor:
    """Without the darkest and brightest values, so that contrast can grow."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(40, 200, (count, 3, SIZE, SIZE), generator=generator, dtype=torch.uint8)


def test_the_order_of_application_is_the_same_as_ever() -> None:
    assert tuple(name for name in NAMES if name in FIFTEEN) == FIFTEEN
    assert set(NAMES) == set(AUGMENTATIONS)


def test_geometric_augmentations_come_first() -> None:
    kinds = [AUGMENTATIONS[name].geometric for name in NAMES]
    assert kinds == sorted(kinds, reverse=True)


@pytest.mark.parametrize("name", NAMES)
def test_strongest_parameters_change_an_image_and_those_of_the_identity_do_not(name: str) -> None:
    policy, plain = alone(name), images(4).float() / 255
    assert torch.equal(policy.apply(images(4), policy.identity(4)), plain)
    strong = policy.apply(images(4), policy.at_strength(name, 1.0, 4, torch.Generator().manual_seed(1)))
    assert strong.shape == plain.shape and strong.dtype == torch.float32
    assert strong.min() >= 0 and strong.max() <= 1
    assert not torch.equal(strong, plain)


@pytest.mark.parametrize("name", NAMES)
def test_drawn_parameters_have_one_column_each_and_their_strengths_are_in_range(name: str) -> None:
    policy, parameters = alone(name), AUGMENTATIONS[name]().parameters(SIZE)
    rows = policy.sample(200, 0, torch.Generator().manual_seed(2))
    assert rows[name].shape == (200, 1 + len(parameters.identity))
    strength = policy.strength(name, rows)
    assert strength.min() >= 0 and strength.max() <= 1
    assert torch.equal(policy.strength(name, policy.identity(3)), torch.zeros(3))


def test_settings_of_augmentations_need_no_torch() -> None:
    code = "import sys, mast.augment.settings; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
