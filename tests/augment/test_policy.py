"""Policies draw parameters, give strengths, and are applied to batches."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms.v2 import RandomResizedCrop

from mast.augment.policy import Policy
from mast.augment.settings import FIFTEEN, PolicySpec

SIZE = 16
SWITCHES = {"flip", "grayscale", "equalize", "autocontrast"}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def policy(augmentations: str | tuple[str, ...] = "mast15", size: int = SIZE, **settings: Any) -> Policy:
    return Policy(PolicySpec.model_validate({"augmentations": augmentations, **settings}), size)


def images(count: int, size: int = SIZE, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (count, 3, size, size), generator=generator(seed), dtype=torch.uint8)


def test_names_are_in_the_order_of_application() -> None:
    assert policy(("blur", "crop", "jitter")).names == ("crop", "jitter", "blur")


def test_sampling_is_a_function_of_the_generator() -> None:
    first, again, other = (policy().sample(8, 0, generator(seed)) for seed in (3, 3, 4))
    assert list(first) == list(FIFTEEN)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    assert all(rows.device.type == "cpu" and rows.dtype == torch.float32 for rows in first.values())


def test_rows_that_are_not_applied_are_all_equal() -> None:
    for rows in policy().sample(200, 0, generator()).values():
        unapplied = rows[rows[:, 0] == 0]
        assert len(unapplied.unique(dim=0)) <= 1
        assert set(rows[:, 0].unique().tolist()) <= {0.0, 1.0}


def test_values_that_do_nothing_count_as_not_applied() -> None:
    params = policy(("posterize", "jitter", "crop"), posterize={"probability": 1, "bits": (8, 8)}, jitter=_still())
    params = params.sample(20, 0, generator())
    assert not params["posterize"][:, 0].any()
    assert not params["jitter"][:, 0].any()
    assert params["crop"][:, 0].all()


def _still() -> dict[str, float]:
    return {"probability": 1.0, "brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}


def test_each_augmentation_is_applied_with_its_views_probability() -> None:
    settings = {name: {"probability": (0.7, 0.25)} for name in FIFTEEN}
    settings["posterize"]["bits"] = (1, 7)
    drawn = policy(size=224, **settings)
    count = 4000
    for view, probability in enumerate((0.7, 0.25)):
        for name, rows in drawn.sample(count, view, generator(1)).items():
            # five standard deviations: fails by chance once in about 60,000 such tests, and the seed is fixed
            tolerance = 5 * math.sqrt(probability * (1 - probability) / count)
            assert abs(rows[:, 0].mean().item() - probability) < tolerance, name


def test_values_cover_their_ranges() -> None:
    every = {name: {"probability": 1.0} for name in FIFTEEN}
    params = policy(size=112, **every).sample(4000, 0, generator())
    ranges = {
        "rotate": [(-30, 30)],
        "shear_x": [(-0.3, 0.3)],
        "translate_y": [(-150 / 331, 150 / 331)],
        "jitter": [(0.6, 1.4), (0.6, 1.4), (0.8, 1.2), (-0.1, 0.1)],
        "sharpness": [(0.1, 1.9)],
        "blur": [(0.05, 1.0)],  # half of the size that the sigmas are stated for
    }
    for name, columns in ranges.items():
        for column, (low, high) in enumerate(columns, start=1):
            values = params[name][:, column]
            assert low <= values.min() < low + 0.01 * (high - low), name
            assert high - 0.01 * (high - low) < values.max() <= high + 1e-6, name
            assert abs(values.mean().item() - (low + high) / 2) < 5 * (high - low) / math.sqrt(12 * 4000), name
    assert params["posterize"][:, 1].unique().tolist() == [4, 5, 6, 7]
    assert params["solarize"][:, 1].unique().tolist() == [0.5]


def test_crop_boxes_are_distributed_like_torchvisions() -> None:
    torch.manual_seed(0)
    count, size = 4000, 1000
    blank = torch.empty(1, 1).expand(3, size, size)
    boxes = [RandomResizedCrop.make_params(RandomResizedCrop(size), [blank]) for _ in range(count)]
    expected = torch.tensor([[box[key] / size for key in ("left", "top", "width", "height")] for box in boxes])
    drawn = policy(("crop",)).sample(count, 0, generator())["crop"][:, 1:]
    assert (drawn >= 0).all() and (drawn[:, :2] + drawn[:, 2:] <= 1 + 1e-6).all()
    for ours, theirs in ((drawn, expected), (_shape(drawn), _shape(expected))):
        for column in range(ours.shape[1]):
            # two-sample Kolmogorov-Smirnov, critical value at alpha = 1e-5
            assert _largest_gap(ours[:, column], theirs[:, column]) < 2.47 * math.sqrt(2 / count)


def _shape(boxes: Tensor) -> Tensor:
    return torch.stack((boxes[:, 2] * boxes[:, 3], boxes[:, 2] / boxes[:, 3]), dim=1)


def _largest_gap(first: Tensor, second: Tensor) -> float:
    points = torch.cat((first, second)).sort().values
    shares = [torch.searchsorted(sample.sort().values, points, right=True) / len(sample) for sample in (first, second)]
    return (shares[0] - shares[1]).abs().max().item()


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_identity_parameters_give_the_images_exactly(kind: torch.dtype) -> None:
    given_images = images(3) if kind == torch.uint8 else images(3).float() / 255
    result = policy().apply(given_images, policy().identity(3))
    assert torch.equal(result, images(3).float() / 255)
    assert result.data_ptr() != given_images.data_ptr()


def test_an_empty_policy_only_converts() -> None:
    assert torch.equal(
        policy("none").apply(images(2), policy("none").sample(2, 0, generator())), images(2).float() / 255
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), size=st.sampled_from([3, 7, 16, 33]), view=st.integers(0, 1))
def test_an_image_is_augmented_alone_as_it_is_in_the_batch(seed: int, size: int, view: int) -> None:
    drawn = policy(size=size, **{name: {"probability": 0.5} for name in FIFTEEN})
    params = drawn.sample(6, view, generator(seed))
    batch = images(6, size, seed)
    result = drawn.apply(batch, params)
    assert result.shape == batch.shape and result.dtype == torch.float32 and result.is_contiguous()
    assert result.min() >= 0 and result.max() <= 1
    assert torch.equal(result, drawn.apply(batch, params))
    # solarize and posterize jump, so that a rounding error before them may move a value across: almost all must agree
    for k in range(6):
        alone = drawn.apply(batch[k : k + 1], {name: rows[k : k + 1] for name, rows in params.items()})
        assert ((alone[0] - result[k]).abs() < 1e-5).float().mean() > 0.99


@pytest.mark.parametrize(
    "names",
    [("crop", "flip"), ("flip", "jitter", "grayscale", "blur", "posterize", "solarize", "equalize", "sharpness")],
)
def test_augmentations_are_applied_one_after_the_other(names: tuple[str, ...]) -> None:
    size = 64  # large enough for equalize and blur to act
    every = {name: {"probability": 1.0} for name in names}
    together, batch = policy(names, size, **every), images(6, size)
    params = together.sample(6, 0, generator())
    step_by_step = batch
    for name in names:
        step_by_step = policy((name,), size, **every).apply(step_by_step, {name: params[name]})
    torch.testing.assert_close(together.apply(batch, params), step_by_step, rtol=0, atol=1e-4)


def test_apply_does_not_change_its_arguments() -> None:
    drawn = policy()
    params = drawn.sample(5, 0, generator())
    copies = {name: rows.clone() for name, rows in params.items()}
    batch = images(5).float() / 255
    before = batch.clone()
    drawn.apply(batch, params)
    assert torch.equal(batch, before)
    assert all(torch.equal(params[name], copies[name]) for name in params)


def test_layout_and_type_of_the_images_do_not_matter() -> None:
    drawn = policy()
    params = drawn.sample(5, 0, generator())
    expected = drawn.apply(images(5), params)
    assert torch.equal(drawn.apply(images(5).contiguous(memory_format=torch.channels_last), params), expected)
    assert torch.equal(drawn.apply(images(5).float() / 255, params), expected)


def test_apply_never_reads_from_the_images_device() -> None:
    """A meta tensor holds no values, so that any step which waits for one raises."""
    drawn = policy(**{name: {"probability": 0.5} for name in FIFTEEN})
    result = drawn.apply(images(4).to("meta"), drawn.sample(4, 0, generator()))
    assert result.device.type == "meta" and result.shape == (4, 3, SIZE, SIZE)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="16 pixels"):
        policy().apply(images(1, 17), policy().identity(1))


@pytest.mark.parametrize("name", FIFTEEN)
def test_at_strength_applies_one_augmentation_at_that_strength(name: str) -> None:
    drawn = policy(solarize={"threshold": (0.2, 0.9)})
    for level in (0.0, 0.4, 1.0):
        params = drawn.at_strength(name, level, 50, generator())
        for other in FIFTEEN:
            assert other == name or not params[other][:, 0].any()
        strength = drawn.strength(name, params)
        if name in SWITCHES:
            expected = float(level > 0)
        elif name == "posterize":
            expected = {0.0: 0.0, 0.4: 0.5, 1.0: 1.0}[level]  # 8, 6 and 4 bits
        else:
            expected = level
        torch.testing.assert_close(strength, torch.full((50,), expected), rtol=0, atol=1e-5)
        changed = not torch.equal(drawn.apply(images(50), params), images(50).float() / 255)
        assert changed == (strength.max() > 0)


def test_strength_grows_with_the_distance_from_the_identity() -> None:
    drawn = policy(size=224, **{name: {"probability": 1.0} for name in FIFTEEN})
    params = drawn.sample(500, 0, generator())
    for name in FIFTEEN:
        strength = drawn.strength(name, params)
        assert strength.min() > 0 and strength.max() <= 1
    rotation = params["rotate"][:, 1].abs()
    torch.testing.assert_close(drawn.strength("rotate", params), rotation / 30)
    area = params["crop"][:, 3] * params["crop"][:, 4]
    torch.testing.assert_close(drawn.strength("crop", params), (1 - area) / 0.92)
    off = drawn.identity(4)
    assert all((drawn.strength(name, off) == 0).all() for name in FIFTEEN)
