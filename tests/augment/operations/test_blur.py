"""The blur equals Pillow's and torchvision's, and its kernels equal those in float64."""

import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from torch import Tensor

from mast.augment.operations.blur import Blur
from mast.errors import MastError
from mast.settings import parse

MIDDLE = 30


def response(blur: Blur, sigma: float) -> np.ndarray:
    """The kernel, float64 [2 · MIDDLE + 1], read off a bright line."""
    side = 2 * MIDDLE + 1
    line = torch.zeros(1, 3, side, side)
    line[..., MIDDLE] = 1
    return blur.change(line, torch.tensor([sigma]))[0, 0, 0].double().numpy()


def deviation(kernel: np.ndarray) -> float:
    """Standard deviation of a kernel, pixels."""
    return float(np.sqrt(kernel @ np.arange(-MIDDLE, MIDDLE + 1) ** 2 / kernel.sum()))


def three_boxes(sigma: float) -> np.ndarray:
    """Three boxes of the variance sigma² / 3 each, the share of their last pixels found by bisection; float64."""
    offsets = np.arange(-MIDDLE, MIDDLE + 1)

    def box(radius: float) -> np.ndarray:
        weights = np.clip(radius + 1 - abs(offsets), 0, 1)
        return weights / weights.sum()

    low, high = 0.0, 15.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if box(middle) @ offsets**2 > sigma**2 / 3 else (middle, high)
    one = box(low)
    return np.convolve(np.convolve(one, one, "same"), one, "same")


@pytest.mark.parametrize("sigma", [0.01, 0.1, 0.3, 0.7, 1.0, 1.41, 1.42, 2.0, 3.3, 5.0])
def test_kernel_is_three_boxes_of_the_right_variance(sigma: float) -> None:
    kernel = response(Blur(), sigma)
    np.testing.assert_allclose(kernel, three_boxes(sigma), atol=2e-7)
    assert deviation(kernel) == pytest.approx(sigma, rel=2e-3)


@pytest.mark.parametrize("sigma", [0.1, 0.2, 0.3, 0.5, 0.8, 1.1, 1.5, 2.0])
def test_blur_is_pillows_but_for_its_roundings(sigma: float) -> None:
    """VICReg's (augmentations.py). Pillow rounds six times, each time by half a level at most."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma)), dtype=np.float64)
    images = torch.from_numpy(pixels).permute(2, 0, 1).float().div(255).unsqueeze(0)
    result = Blur().change(images, torch.tensor([sigma]))[0].permute(1, 2, 0).double().numpy() * 255
    inner = slice(8, -8)  # Pillow repeats the pixels at the edges
    difference = (result - expected)[inner, inner]
    assert abs(difference).max() < 3 and abs(difference.mean()) < 0.1
    changed = abs(expected - pixels)[inner, inner].max()
    assert changed > 2 * abs(difference).max() or sigma == 0.1


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(13, 24),
    count=st.integers(1, 4),
    kernel=st.sampled_from([3, 9, 23]),
    seed=st.integers(0, 2**31),
)
def test_with_a_kernel_blur_is_torchvisions(size: int, count: int, kernel: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 3, size, size, generator=generator)
    sigmas = 0.05 + 2.95 * torch.rand(count, generator=generator)
    expected = [oracle.gaussian_blur(one, kernel, float(sigma)) for one, sigma in zip(images, sigmas, strict=True)]
    result = Blur(kernel=kernel, reference_size=size).change(images, sigmas)
    torch.testing.assert_close(result, torch.stack(expected), rtol=0, atol=5e-6)


def test_what_sigma_acts_as() -> None:
    """AugSelf's nine taps (datasets.py, STL-10) narrow a wide and a small sigma; Pillow's kernel keeps both."""
    augself = Blur(kernel=9, reference_size=2 * MIDDLE + 1)
    assert deviation(response(augself, 2.0)) == pytest.approx(1.85, abs=0.005)
    assert deviation(response(augself, 0.3)) == pytest.approx(0.0877, abs=0.001)
    assert deviation(response(Blur(), 2.0)) == pytest.approx(2.0, abs=1e-3)
    assert deviation(response(Blur(), 0.3)) == pytest.approx(0.3, abs=1e-3)


def test_kernel_is_scaled_with_the_image() -> None:
    kernel = response(Blur(kernel=9, reference_size=(2 * MIDDLE + 1) / 2), 50.0)
    assert np.flatnonzero(kernel > 1e-6).tolist() == list(range(MIDDLE - 8, MIDDLE + 9))


@pytest.mark.parametrize("blur", [Blur(), Blur(kernel=3, reference_size=4)], ids=["pillow", "kernel"])
def test_blur_wider_than_the_image_keeps_its_brightness(blur: Blur) -> None:
    images = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    result = blur.change(images, torch.full((2,), 50.0))
    assert result.amax() - result.amin() < images.amax() - images.amin()
    torch.testing.assert_close(blur.change(torch.full((1, 3, 4, 4), 0.7), torch.tensor([50.0])).mean().item(), 0.7)


@pytest.mark.parametrize("blur", [Blur(), Blur(kernel=9, reference_size=9)], ids=["pillow", "kernel"])
def test_sigma_0_gives_the_image_exactly(blur: Blur) -> None:
    images = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(blur.change(images, torch.zeros(2)), images)


def test_rectangles_are_blurred_alike_in_both_directions() -> None:
    images = torch.rand(1, 3, 12, 20, generator=torch.Generator().manual_seed(0))
    sigma = torch.tensor([1.3])
    turned = Blur().change(images.transpose(2, 3), sigma).transpose(2, 3)
    torch.testing.assert_close(Blur().change(images, sigma), turned)


def rows(*sigmas: float) -> Tensor:
    return torch.tensor([[float(sigma > 0), sigma] for sigma in sigmas])


def test_sigmas_differ_where_a_pixel_of_8_bits_can_move() -> None:
    differ = Blur().differ(rows(0.02, 0.04, 0.03, 0.10, 1.00, 0.5), rows(0.0, 0.0, 0.01, 0.11, 1.01, 0.5), 32)
    assert differ.tolist() == [False, True, False, True, True, False]
    sampled = Blur(kernel=9, reference_size=32).differ(rows(0.2, 0.3, 0.10, 1.0), rows(0.0, 0.0, 0.15, 1.1), 32)
    assert sampled.tolist() == [False, True, False, True]


def test_an_even_number_of_taps_is_refused() -> None:
    with pytest.raises(MastError, match="config: kernel: the number of taps is odd"):
        parse(Blur, {"kernel": 8}, "config")
