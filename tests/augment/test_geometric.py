"""The affine maps and their sampling equal torchvision's geometric functions, image by image."""

import math

import pytest
import torch
import torchvision.transforms.v2.functional as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms import InterpolationMode

from mast.augment.geometric import warp
from mast.augment.operations import AUGMENTATIONS
from mast.augment.operations.crop import Crop
from mast.augment.operations.flip import Flip
from mast.augment.operations.rotate import Rotate
from mast.augment.operations.translate_x import TranslateX
from mast.augment.operations.translate_y import TranslateY

BILINEAR = InterpolationMode.BILINEAR
batches = {"size": st.integers(5, 23), "count": st.integers(1, 4), "seed": st.integers(0, 2**31)}


def draw(count: int, size: int, seed: int) -> tuple[Tensor, torch.Generator]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, size, size, generator=generator), generator


def affine(image: Tensor, angle: float = 0.0, shear: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    return oracle.affine(image, angle, [0, 0], 1.0, list(shear), interpolation=BILINEAR)


def degrees(tangent: float) -> float:
    return math.degrees(math.atan(tangent))


ORACLES = {
    "rotate": (40.0, lambda image, value: oracle.rotate(image, value, interpolation=BILINEAR)),
    "shear_x": (0.5, lambda image, value: affine(image, shear=(degrees(value), 0.0))),
    "shear_y": (0.5, lambda image, value: affine(image, shear=(0.0, degrees(value)))),
}


def sees_only_the_image(maps: Tensor, size: int) -> Tensor:
    """bool [N, 1, S, S]: output pixels whose four source pixels all exist, found without the code under test."""
    centre = (torch.arange(size) + 0.5) / size * 2 - 1
    y, x = torch.meshgrid(centre, centre, indexing="ij")
    places = torch.einsum("nij,jhw->nihw", maps[:, :2], torch.stack((x, y, torch.ones_like(x))))
    return (places.abs() < 1 - 1 / size - 1e-4).all(dim=1, keepdim=True)


@pytest.mark.parametrize("name", ORACLES)
@settings(max_examples=25, deadline=None)
@given(**batches)
def test_rotation_and_shear_match_torchvision(name: str, size: int, count: int, seed: int) -> None:
    images, generator = draw(count, size, seed)
    reach, function = ORACLES[name]
    values = reach * (2 * torch.rand(count, generator=generator) - 1)
    maps = AUGMENTATIONS[name].undo(values)
    expected = torch.stack([function(image, float(value)) for image, value in zip(images, values, strict=True)])
    inner = sees_only_the_image(maps, size)
    difference = (warp(images, maps) - expected) * inner
    assert inner.float().mean() > 0.2
    assert difference.abs().max() < 1e-4


def test_what_lies_beyond_the_image_is_black() -> None:
    images = torch.ones(1, 3, 200, 200)
    result = warp(images, Rotate.undo(torch.tensor([45.0])))
    assert set(result.mul(1e6).round().unique().tolist()) == {0, 1e6}
    assert torch.all(result[..., [0, 0, -1, -1], [0, -1, 0, -1]] == 0)
    assert abs(result.mean().item() - (2 * math.sqrt(2) - 2)) < 0.003  # overlap of a square with itself turned by 45°


@settings(max_examples=25, deadline=None)
@given(**batches)
def test_whole_pixel_translations_match_torchvision_everywhere(size: int, count: int, seed: int) -> None:
    images, generator = draw(count, size, seed)
    shifts = torch.randint(-size // 2, size // 2 + 1, (count, 2), generator=generator)
    maps = TranslateX.undo(shifts[:, 0] / size) @ TranslateY.undo(shifts[:, 1] / size)
    expected = torch.stack(
        [
            oracle.affine(image, 0.0, shift.tolist(), 1.0, [0.0, 0.0])
            for image, shift in zip(images, shifts, strict=True)
        ]
    )
    torch.testing.assert_close(warp(images, maps), expected, rtol=0, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(**batches)
def test_flip_matches_torchvision_where_applied(size: int, count: int, seed: int) -> None:
    images, generator = draw(count, size, seed)
    applied = torch.randint(0, 2, (count,), generator=generator)
    expected = torch.where(applied.bool().view(-1, 1, 1, 1), oracle.horizontal_flip(images), images)
    torch.testing.assert_close(warp(images, Flip.undo(applied.float())), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("antialias", [False, True])
@settings(max_examples=25, deadline=None)
@given(**batches)
def test_crop_matches_torchvision_inside_the_box(antialias: bool, size: int, count: int, seed: int) -> None:
    images, generator = draw(count, size, seed)
    box = torch.randint(2, size + 1, (count, 2), generator=generator)
    corner = ((size - box + 1) * torch.rand(count, 2, generator=generator)).long()
    maps = Crop.undo(*(corner / size).unbind(1), *(box / size).unbind(1))
    result = warp(images, maps)
    for k, (left, top) in enumerate(corner.tolist()):
        width, height = box[k].tolist()
        expected = oracle.resized_crop(
            images[k], top, left, height, width, [size, size], interpolation=BILINEAR, antialias=antialias
        )
        rows, columns = (_inner(size, length) for length in (height, width))
        torch.testing.assert_close(result[k][:, rows, columns], expected[:, rows, columns], rtol=0, atol=1e-4)


def _inner(size: int, length: int) -> slice:
    """Output pixels at least half a source pixel away from the box's edge."""
    edge = math.ceil(size / (2 * length))
    return slice(edge, size - edge)


def test_crop_of_the_whole_image_matches_torchvision_to_the_edge() -> None:
    images, _ = draw(2, 9, 0)
    zero, one = torch.zeros(2), torch.ones(2)
    torch.testing.assert_close(warp(images, Crop.undo(zero, zero, one, one)), images, rtol=0, atol=1e-5)


def test_crop_at_the_images_edge_repeats_the_edge_like_torchvision() -> None:
    images, _ = draw(1, 8, 0)
    result = warp(images, Crop.undo(*(torch.tensor([share]) for share in (0.0, 0.0, 0.5, 0.5))))
    expected = oracle.resized_crop(images, 0, 0, 4, 4, [8, 8], interpolation=BILINEAR, antialias=True)
    torch.testing.assert_close(result[..., :7, :7], expected[..., :7, :7], rtol=0, atol=1e-5)


def test_maps_compose_in_the_order_of_application() -> None:
    """Flip, then turn, then shift of a smooth image, each step by torchvision, equals one warp of the product."""
    axis = torch.linspace(-1, 1, 65)
    smooth = torch.exp(-((axis - 0.2) ** 2).unsqueeze(0) * 6 - ((axis + 0.1) ** 2).unsqueeze(1) * 3)
    image = smooth.expand(1, 3, -1, -1)
    maps = Flip.undo(torch.ones(1)) @ Rotate.undo(torch.tensor([25.0])) @ TranslateX.undo(torch.tensor([8 / 65]))
    steps = oracle.rotate(oracle.horizontal_flip(image), 25.0, interpolation=BILINEAR)
    steps = oracle.affine(steps, 0.0, [8, 0], 1.0, [0.0, 0.0])
    difference = (warp(image, maps) - steps)[..., 20:45, 20:45]
    assert difference.abs().max() < 2e-3
    swapped = warp(image, maps.flip(0) @ TranslateX.undo(torch.tensor([-16 / 65])))
    assert (swapped - steps)[..., 20:45, 20:45].abs().max() > 0.05
