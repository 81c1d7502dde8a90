"""Boxes in images of any shape are whole pixels, and equal those of torchvision's RandomResizedCrop."""

import pytest
import torch
from torchvision.transforms import RandomResizedCrop

from mast.augment.boxes import central_squares
from mast.augment.operations.crop import ATTEMPTS, Crop
from mast.augment.pairing import COMPOSED, draw_pair
from mast.augment.policy import Policy
from mast.augment.settings import PairingSpec, PolicySpec
from mast.augment.views import Drawn, View, Views

SIZES = [(500, 375), (375, 500), (224, 224), (900, 60), (7, 11), (1, 1), (3, 4000)]
COUNT = 60


def policy(**settings: object) -> Policy:
    return Policy(PolicySpec(augmentations=["crop"], crop=settings), 224)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def in_pixels(size: tuple[int, int], shares: torch.Tensor) -> torch.Tensor:
    """Left, top, width and height, int64 [N, 4]."""
    pixels = shares.double() * torch.tensor([*size, *size])
    assert (pixels - pixels.round()).abs().max() < 1e-2, "whole pixels"
    return pixels.round().long()


class Fed:
    """torchvision's function with random numbers that are given: as it takes them, one by one."""

    def __init__(self, crop: Crop, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        random = generator(seed)
        drawn = [torch.rand(COUNT, ATTEMPTS, generator=random) for _ in range(2)]
        self.attempts = torch.stack(drawn, dim=2).flatten(1).unbind()
        self.corners, self.crop = torch.rand(COUNT, 2, generator=random).double().unbind(), crop
        self.left: list[torch.Tensor] = []
        monkeypatch.setattr(torch.Tensor, "uniform_", lambda _, low, high: low + (high - low) * self.left.pop(0))
        monkeypatch.setattr(torch, "randint", lambda low, high, size: (self.corner.pop() * high).floor().long())

    def boxes(self, size: tuple[int, int]) -> torch.Tensor:
        """Left, top, width and height in pixels."""
        found, image = [], torch.empty(3, *size[::-1])
        for attempts, corner in zip(self.attempts, self.corners, strict=True):
            self.left, self.corner = list(attempts), list(corner)
            top, left, height, width = RandomResizedCrop.get_params(image, list(self.crop.scale), list(self.crop.ratio))
            found.append((left, top, width, height))
        return torch.tensor(found)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("crop", [Crop(), Crop(scale=(0.5, 1), ratio=(0.7, 1.1)), Crop(scale=(1, 1), ratio=(1.5, 1.6))])
def test_boxes_are_torchvisions_of_the_same_random_numbers(
    size: tuple[int, int], crop: Crop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same holds if none of ten boxes fits, as in a whole image of another shape."""
    sizes = torch.tensor([size]).expand(COUNT, 2)
    ours = in_pixels(size, crop.parameters_in_place(sizes).draw(COUNT, generator()))
    assert torch.equal(ours, Fed(crop, 0, monkeypatch).boxes(size))
    assert ((ours[:, :2] >= 0) & (ours[:, 2:] >= 1) & (ours[:, :2] + ours[:, 2:] <= torch.tensor(size))).all()


def test_no_box_is_empty() -> None:
    """torchvision's central one would be."""
    sizes = torch.ones(5, 2, dtype=torch.int64)
    boxes = Crop(ratio=(0.1, 0.2)).parameters_in_place(sizes).draw(5, generator())
    assert torch.equal(in_pixels((1, 1), boxes)[:, 2:], torch.ones(5, 2, dtype=torch.int64))


def test_one_draw_serves_images_of_different_sizes() -> None:
    """Each image's box depends on its own size, not on other images in the batch."""
    sizes = torch.tensor(SIZES)
    together = Crop().parameters_in_place(sizes).draw(len(SIZES), generator())
    for row, size in enumerate(SIZES):
        alone = Crop().parameters_in_place(torch.tensor([size] * len(SIZES))).draw(len(SIZES), generator())
        assert torch.equal(together[row], alone[row])


def test_what_is_not_cropped_is_the_central_square() -> None:
    sizes = torch.tensor([[500, 375], [375, 500], [11, 8]])
    rows = policy(probability=0).in_place(sizes).sample(3, 0, generator())["crop"]
    expected = [[0, 62.5 / 500, 0, 0.75, 1], [0, 0, 0.125, 1, 0.75], [0, 1.5 / 11, 0, 8 / 11, 1]]
    torch.testing.assert_close(rows, torch.tensor(expected))
    assert torch.equal(rows[:, 1:], central_squares(sizes))


@pytest.mark.parametrize("probability", [1.0, (0.7, 0.3)])
def test_a_crop_is_active_where_the_boxes_differ(probability: float) -> None:
    count = 1000
    sizes = torch.randint(1, 9, (count, 2), generator=generator(3))
    spec = PairingSpec(mixture={"subset": 1}, subset_probability=0.5)
    pair = draw_pair(policy(probability=probability, scale=(0.8, 1)).in_place(sizes), spec, count, generator())
    differ = (pair.a["crop"][:, 1:] != pair.b["crop"][:, 1:]).any(dim=1)
    assert torch.equal(pair.active[:, 0], differ)
    assert 0.1 < differ.float().mean() < 0.9


def test_random_numbers_are_those_of_arrays() -> None:
    """So the augmentations that follow the crop are the same, image by image."""
    both = Policy(PolicySpec(augmentations="mast15"), 32)
    sizes = torch.tensor([[40, 30]]).expand(50, 2)
    pairs = [draw_pair(one, COMPOSED, 50, generator()) for one in (both, both.in_place(sizes))]
    for name in both.names[1:]:
        assert torch.equal(pairs[0].b[name], pairs[1].b[name])
    square = both.in_place(torch.full((50, 2), 10_000)).sample(50, 0, generator())["crop"]
    torch.testing.assert_close(square, both.sample(50, 0, generator())["crop"], atol=2e-4, rtol=0)


def test_what_is_cropped_already_is_not_cropped_again() -> None:
    """All other augmentations act on the crop as they act on an image of its size."""
    both, without = (Policy(PolicySpec(augmentations=names), 16) for names in ("mast15", ["rotate", "jitter"]))
    crops = torch.rand(5, 3, 16, 16, generator=generator())
    params = both.in_place(torch.tensor([[40, 30]]).expand(5, 2)).sample(5, 0, generator())
    for name in set(both.names) - {"crop", "rotate", "jitter"}:
        params[name] = both.identity(5)[name]
    seen = View(crops, params, cropped=True).augmented(both, slice(None))
    torch.testing.assert_close(seen, without.apply(crops, {name: params[name] for name in without.names}))


def test_each_view_has_its_own_crops_or_all_have_the_same_images() -> None:
    images = torch.randint(0, 256, (2, 5, 3, 16, 16), dtype=torch.uint8, generator=generator())
    params = policy().sample(5, 0, generator())
    cropped, whole = Views.of(images, Drawn((params, params))), Views.of(images[0], Drawn((params, params)))
    assert [view.cropped for view in cropped] == [True, True] and [view.cropped for view in whole] == [False, False]
    assert torch.equal(cropped.each[1].images, images[1])
    assert whole.each[0].images is whole.each[1].images
