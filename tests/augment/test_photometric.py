"""Every photometric function equals torchvision's, image by image."""

from collections.abc import Callable

import pytest
import torch
import torchvision.transforms.v2.functional as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mast.augment.operations import AUGMENTATIONS
from mast.augment.operations.autocontrast import Autocontrast
from mast.augment.operations.equalize import Equalize
from mast.augment.operations.grayscale import Grayscale
from mast.augment.operations.jitter import Jitter, adjust_brightness, adjust_hue
from mast.augment.operations.posterize import Posterize
from mast.augment.operations.sharpness import Sharpness
from mast.augment.operations.solarize import Solarize
from mast.augment.settings import NAMES

sizes = st.tuples(st.integers(3, 19), st.integers(3, 19))
batches = {"size": sizes, "count": st.integers(1, 4), "seed": st.integers(0, 2**31)}


def draw(count: int, size: tuple[int, int], seed: int) -> tuple[Tensor, torch.Generator]:
    """uint8 images [count, 3, *size]: the first gray, the second with few values and a constant channel."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, *size), generator=generator, dtype=torch.uint8)
    images[0] = images[0, :1]
    images[1:2] //= 64
    images[1:2, 0] = 9
    return images, generator


def uniform(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def assert_same(result: Tensor, expected: list[Tensor], tolerance: float = 2e-6) -> None:
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, torch.stack(expected), rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("name", "function", "low", "high"),
    [
        ("adjust_brightness", adjust_brightness, 0, 2.5),
        ("adjust_hue", adjust_hue, -0.5, 0.5),
        ("adjust_sharpness", Sharpness.change, 0, 2.5),
        ("solarize", Solarize.change, 0, 1),
    ],
    ids=["brightness", "hue", "sharpness", "solarize"],
)
@settings(max_examples=25, deadline=None)
@given(**batches)
def test_continuous_functions_match_torchvision(
    name: str, function: Callable[..., Tensor], low: float, high: float, size: tuple[int, int], count: int, seed: int
) -> None:
    images, generator = draw(count, size, seed)
    images = images.float() / 255
    values = uniform(low, high, count, generator)
    expected = [getattr(oracle, name)(image, float(value)) for image, value in zip(images, values, strict=True)]
    assert_same(function(images, values), expected, tolerance=5e-6 if name == "adjust_hue" else 2e-6)


@settings(max_examples=25, deadline=None)
@given(**batches)
def test_jitter_is_torchvisions_functions_in_order(size: tuple[int, int], count: int, seed: int) -> None:
    images, generator = draw(count, size, seed)
    images = images.float() / 255
    factors = [uniform(0, 2.5, count, generator) for _ in range(3)]
    hue = uniform(-0.5, 0.5, count, generator)
    expected = []
    for image, brightness, contrast, saturation, turn in zip(images, *factors, hue, strict=True):
        image = oracle.adjust_brightness(image, float(brightness))
        image = oracle.adjust_contrast(image, float(contrast))
        image = oracle.adjust_saturation(image, float(saturation))
        expected.append(oracle.adjust_hue(image, float(turn)))
    # The hue of a nearly gray pixel is ill conditioned; what it does to the pixel is not.
    assert_same(Jitter.change(images, *factors, hue), expected, tolerance=1e-5)


@settings(max_examples=25, deadline=None)
@given(**batches)
def test_grayscale_and_autocontrast_match_torchvision(size: tuple[int, int], count: int, seed: int) -> None:
    images, _ = draw(count, size, seed)
    images = images.float() / 255
    assert_same(Grayscale.change(images), [oracle.rgb_to_grayscale(image, 3) for image in images])
    dim = 0.2 + 0.5 * images
    assert_same(Autocontrast.change(dim), [oracle.autocontrast(image) for image in dim])


@settings(max_examples=25, deadline=None)
@given(**batches)
def test_posterize_and_equalize_match_torchvision_on_bytes(size: tuple[int, int], count: int, seed: int) -> None:
    images, generator = draw(count, size, seed)
    bits = torch.randint(1, 9, (count,), generator=generator)
    unit = images.float() / 255
    posterized = [oracle.posterize(image, int(kept)).float() / 255 for image, kept in zip(images, bits, strict=True)]
    assert_same(Posterize.change(unit, bits.float()), posterized)
    assert_same(Equalize.change(unit), [oracle.equalize(image).float() / 255 for image in images])


def test_equalize_of_large_images_matches_torchvision() -> None:
    generator = torch.Generator().manual_seed(1)
    images = (torch.rand(3, 3, 65, 63, generator=generator) ** 3 * 200).to(torch.uint8)
    result = Equalize.change(images.float() / 255)
    assert_same(result, [oracle.equalize(image).float() / 255 for image in images])
    assert not torch.equal(result, images.float() / 255)


IDENTITY = {adjust_brightness: 1.0, Sharpness.change: 1.0}


@pytest.mark.parametrize("function", IDENTITY, ids=lambda function: function.__qualname__)
def test_identity_values_give_the_image_exactly(function: Callable[..., Tensor]) -> None:
    images = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(function(images, torch.full((2,), IDENTITY[function])), images)


@pytest.mark.parametrize("name", [name for name in NAMES if not AUGMENTATIONS[name].geometric])
def test_functions_leave_their_input_alone_and_accept_any_memory_layout(name: str) -> None:
    images = torch.rand(3, 3, 31, 28, generator=torch.Generator().manual_seed(0))
    before = images.clone()
    settings = AUGMENTATIONS[name]()
    values = settings.parameters(224).at(1.0, 3, torch.Generator().manual_seed(0)).unbind(1)
    function = settings.change
    result = function(images, *values)
    assert torch.equal(images, before)
    assert not torch.equal(result, images)
    torch.testing.assert_close(function(images.contiguous(memory_format=torch.channels_last), *values), result)
