"""A representation that sees what two views share finds the other view of an image; others find it by chance."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.covariance import LedoitWolf
from torch import nn

from mast.analysis.retrieval import colour_statistics, measure_retrieval, retrieve
from mast.augment.policy import Policy
from mast.augment.settings import PolicySpec

NORMALISATION = torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1)


class _Columns(nn.Module):
    """Sums of each column and of its mirror image: a flip changes nothing."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        columns = images.mean(dim=1).sum(dim=1)
        return torch.cat((columns + columns.flip(1), (columns - columns.flip(1)).abs()), dim=1)


class _Blind(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(images), 3)


def _measure(images: torch.Tensor, encoder: nn.Module, **policy: object) -> pd.Series:
    spec = PolicySpec.model_validate({"augmentations": list(policy), **policy})
    table = measure_retrieval(encoder, None, Policy(spec, 8), images, NORMALISATION, torch.device("cpu"))
    assert (table["images"] == len(images)).all()
    return table.set_index("representation")["top1"]


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_equal_views_are_found_by_all_that_see_them_and_by_chance_else() -> None:
    images = torch.randint(0, 256, (40, 3, 8, 8), generator=_generator(), dtype=torch.uint8)
    top1 = _measure(images, _Blind(), flip={"probability": 0})
    assert top1.to_dict() == {"features": 100 / 40, "pixels": 100, "colour": 100}


def test_a_colour_for_each_image_is_found_by_colour_alone() -> None:
    colours = torch.randint(60, 196, (40, 3, 1, 1), generator=_generator())
    stripes = 40 * torch.randint(0, 2, (1, 1, 8, 8), generator=_generator())
    top1 = _measure((colours + stripes).to(torch.uint8), _Blind(), crop={"scale": [0.1, 0.3]})
    assert top1["colour"] > 70
    assert top1["features"] == 100 / 40


def test_images_of_the_same_colours_are_not_found_by_colour() -> None:
    black_and_white = torch.rand(40, 64, generator=_generator()).argsort(dim=1) % 2
    images = (255 * black_and_white).to(torch.uint8).view(40, 1, 8, 8).expand(40, 3, 8, 8).contiguous()
    top1 = _measure(images, _Columns(), flip={"probability": 0.5})
    assert top1["colour"] == 100 / 40
    assert top1["features"] > 90
    assert 30 < top1["pixels"] < 90, "half of the pairs are mirrored"


@pytest.mark.parametrize(("dimensions", "strength"), [(5, 0.4), (60, 0.2)])
def test_retrieval_agrees_with_loops(dimensions: int, strength: float) -> None:
    rng = np.random.default_rng(0)
    shared, mixing = rng.normal(size=(30, dimensions)), rng.normal(size=(dimensions, dimensions))
    a, b = (3 + shared + strength * rng.normal(size=shared.shape) @ mixing for _ in range(2))
    expected = np.zeros(30, bool)
    for i in range(30):
        fitted = [j for j in range(30) if j % 2 != i % 2]
        z_a, z_b = ((view - view[fitted].mean(axis=0)) / view[fitted].std(axis=0) for view in (a, b))
        noise = LedoitWolf(assume_centered=True).fit(z_a[fitted] - z_b[fitted])
        inner = [z_a[i] @ noise.precision_ @ row / np.sqrt(row @ noise.precision_ @ row) for row in z_b]
        expected[i] = int(np.argmax(inner)) == i
    assert 3 < expected.sum() < 27
    assert retrieve(a, b).tolist() == expected.tolist()


def test_what_views_do_not_share_is_discounted() -> None:
    rng = np.random.default_rng(0)
    shared, mixing = rng.normal(size=(200, 20)), rng.normal(size=(3, 20))
    a, b = (shared + 2 * rng.normal(size=(200, 3)) @ mixing for _ in range(2))
    directions = [view / np.linalg.norm(view, axis=1, keepdims=True) for view in (a, b)]
    plain = (directions[0] @ directions[1].T).argmax(axis=1) == np.arange(200)
    assert plain.mean() < 0.1
    assert retrieve(a, b).mean() > 0.9


def test_unrelated_views_are_found_by_chance() -> None:
    rng = np.random.default_rng(0)
    found = np.mean([retrieve(*rng.normal(size=(2, 20, 6))).mean() for _ in range(100)])
    assert found == pytest.approx(1 / 20, abs=0.02)  # 4 standard errors


def test_colour_statistics_by_hand() -> None:
    view = torch.rand(2, 3, 5, 7, generator=_generator())
    view[0, 0, 0] = torch.tensor([0.0, 1.0, 1 / 8, 0.5, 0.999, 0.124, 1.0])
    planes = view.double().numpy().reshape(2, 3, 35)
    counts = np.array([[np.histogram(plane, bins=8, range=(0, 1))[0] for plane in image] for image in planes])
    expected = np.concatenate([planes.mean(2), planes.std(2), counts.transpose(0, 2, 1).reshape(2, 24) / 35], axis=1)
    np.testing.assert_allclose(colour_statistics(view).numpy(), expected, atol=1e-6)
