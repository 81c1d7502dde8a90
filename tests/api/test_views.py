"""`mast.PairedAugmentation` reports correctly how two views differ."""

import pytest
import torch

import mast

IMAGES = torch.randint(0, 256, (64, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


def test_views_differ_only_where_an_augmentation_is_active() -> None:
    pairs = mast.PairedAugmentation(16, ("flip", "jitter"), pairing={"subset_probability": 0.4})
    a, b, active = pairs(IMAGES, torch.Generator().manual_seed(0))
    same = (a - b).abs().amax(dim=(1, 2, 3)) == 0
    assert 0 < int(same.sum()) < len(IMAGES)
    assert torch.equal(same, ~active.any(dim=1))


def test_bytes_and_shares_of_one_are_the_same_images() -> None:
    pairs = mast.PairedAugmentation(16)
    of_bytes = pairs(IMAGES, torch.Generator().manual_seed(0))
    of_shares = pairs(IMAGES / 255, torch.Generator().manual_seed(0))
    torch.testing.assert_close(of_bytes.a, of_shares.a)


def test_torchs_own_seed_decides() -> None:
    pairs = mast.PairedAugmentation(16)
    views = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        views.append(pairs(IMAGES).b)
    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])


def test_without_augmentations_views_are_the_normalised_images() -> None:
    a, b, active = mast.PairedAugmentation(16, "none", mean=(0, 0, 0), std=(0.5, 0.5, 0.5))(IMAGES)
    torch.testing.assert_close(a, IMAGES / 127.5)
    assert torch.equal(a, b)
    assert active.shape == (64, 0)


def test_images_of_another_side_are_refused() -> None:
    with pytest.raises(ValueError, match="policy is for 16 pixels"):
        mast.PairedAugmentation(16)(torch.zeros(2, 3, 16, 17))


def test_an_unknown_augmentation_is_refused() -> None:
    with pytest.raises(ValueError, match="crops"):
        mast.PairedAugmentation(16, ("crops",))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES.float(), "values from 0 to 255; expected uint8, or floating in"),
        ((IMAGES / 255 - 0.45) / 0.22, "values from -2.* expected uint8"),
        (IMAGES.long(), "int64; expected uint8, or floating"),
        (IMAGES / 255 + float("nan"), "values from nan to nan"),
    ],
    ids=["floats up to 255", "normalised", "integers", "not a number"],
)
def test_images_of_another_range_are_refused(images: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mast.PairedAugmentation(16)(images)


@pytest.mark.parametrize(
    ("size", "settings"),
    [(0, {}), (16, {"std": (0.2, 0.0, 0.2)}), (16, {"mean": (0.5,)}), (16, {"settings": {"augmentations": ["flip"]}})],
)
def test_settings_are_checked(size: int, settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"expected|its own argument"):
        mast.PairedAugmentation(size, **settings)
