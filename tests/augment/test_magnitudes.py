"""Default strengths equal VICReg's and the tables of torchvision's RandAugment."""

import pytest
from torchvision.transforms import v2

from mast.augment.operations import AUGMENTATIONS
from mast.augment.settings import FIFTEEN

SIDE = 331
LARGEST = {
    name: magnitudes(31, SIDE, SIDE)
    for name, (magnitudes, _) in v2.RandAugment._AUGMENTATION_SPACE.items()  # no public name
}


def largest(name: str) -> float:
    return LARGEST[name].abs().max().item()


@pytest.mark.parametrize(("axis", "other"), [("x", "ShearX"), ("y", "ShearY")])
def test_shears_reach_as_far_as_rand_augments(axis: str, other: str) -> None:
    assert AUGMENTATIONS[f"shear_{axis}"]().factor == pytest.approx(largest(other))


@pytest.mark.parametrize(("axis", "other"), [("x", "TranslateX"), ("y", "TranslateY")])
def test_shifts_reach_as_far_as_rand_augments(axis: str, other: str) -> None:
    assert AUGMENTATIONS[f"translate_{axis}"]().fraction == pytest.approx(largest(other) / SIDE)


def test_rotation_reaches_as_far_as_rand_augments() -> None:
    assert AUGMENTATIONS["rotate"]().degrees == pytest.approx(largest("Rotate"))


def test_sharpness_has_rand_augments_range() -> None:
    reach = largest("Sharpness")
    assert AUGMENTATIONS["sharpness"]().factor == pytest.approx((1 - reach, 1 + reach))


def test_posterize_has_rand_augments_bits_but_for_those_that_do_nothing() -> None:
    bits = set(LARGEST["Posterize"].tolist())
    low, high = AUGMENTATIONS["posterize"]().bits
    assert set(range(low, high + 1)) == bits - {8}


def test_what_vicreg_has_is_vicregs() -> None:
    """facebookresearch/vicreg, augmentations.py. Its solarize inverts 8-bit values from 128 on: 127 / 255 < 0.5."""
    jitter = AUGMENTATIONS["jitter"]()
    assert (jitter.probability, jitter.brightness, jitter.contrast) == (0.8, 0.4, 0.4)
    assert (jitter.saturation, jitter.hue) == (0.2, 0.1)
    assert AUGMENTATIONS["flip"]().probability == 0.5 and AUGMENTATIONS["grayscale"]().probability == 0.2
    assert AUGMENTATIONS["blur"]().sigma == (0.1, 2.0) and AUGMENTATIONS["blur"]().reference_size == 224
    low, high = AUGMENTATIONS["solarize"]().threshold
    assert 127 / 255 < low == high <= 128 / 255
    crop = v2.RandomResizedCrop(224)
    assert AUGMENTATIONS["crop"]().scale == tuple(crop.scale)
    assert AUGMENTATIONS["crop"]().ratio == pytest.approx(tuple(crop.ratio))


def test_vicregs_operations_are_applied_in_its_order() -> None:
    order = ("crop", "flip", "jitter", "grayscale", "blur", "solarize")
    assert tuple(name for name in FIFTEEN if name in order) == order
