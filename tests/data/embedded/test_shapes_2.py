"""Images of version 2 show their labels, differ from version 1's, and never change once published."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mast.data.embedded import shapes
from mast.data.embedded.shapes_2 import TARGETS, TEXTURE_PERIOD, draw_labels, render
from mast.data.prepare import prepare
from mast.data.prepared.store import open_prepared
from mast.data.readers.shapes import ShapesData


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, np.ndarray]:
    return render(1000, 32, seed=3)


def saturation(images: np.ndarray) -> np.ndarray:
    high, low = images.max(-1).astype(float), images.min(-1).astype(float)
    return (high - low) / np.maximum(high, 1)


def test_the_images_of_generator_version_2_never_change() -> None:
    images, labels = render(4, 32, seed=0)
    digest = hashlib.sha256(images.tobytes() + labels.astype("<i8").tobytes()).hexdigest()
    assert digest == "a99d5d8b356b6522f75bcb15af00026371df9d2fc75a5f10c2222998acd2d411"


def test_an_image_depends_on_its_position_seed_and_split(sample: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = render(5, 32, seed=3)
    assert np.array_equal(images, sample[0][:5]) and np.array_equal(labels, sample[1][:5])
    others = (render(5, 32, seed=2), render(5, 32, seed=3, split="test"), shapes.render(5, 32, seed=3))
    for other, _ in others:
        assert not any(np.array_equal(a, b) for a in images for b in other)


def test_factors_are_uniform_and_independent() -> None:
    labels = draw_labels(4000, seed=3)
    for column, names in enumerate(TARGETS.values()):
        counts = np.bincount(labels[:, column], minlength=len(names))
        assert len(counts) == len(names)
        assert stats.chisquare(counts).pvalue > 1e-4
        for other in range(column):
            table = stats.contingency.crosstab(labels[:, column], labels[:, other]).count
            assert stats.chi2_contingency(table).pvalue > 1e-4


def test_labels_are_known_without_the_images(sample: tuple[np.ndarray, np.ndarray]) -> None:
    assert np.array_equal(draw_labels(1000, seed=3), sample[1])


def test_every_background_is_clearly_brighter_on_the_side_of_its_label(sample: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = sample
    down, across = np.mgrid[:32, :32] / 32
    slopes = []
    for image, background in zip(images, saturation(images) < 0.08, strict=True):
        plane = np.column_stack([np.ones(background.sum()), across[background], down[background]])
        slopes.append(np.linalg.lstsq(plane, image.mean(2)[background] / 255)[0][1])
    assert np.array_equal(np.array(slopes) > 0, labels[:, 5] == 1)
    assert np.abs(slopes).min() > 0.05


def test_every_texture_is_seen_in_its_glyph(sample: tuple[np.ndarray, np.ndarray]) -> None:
    """Rows change downwards, columns across, checks both ways, plain glyphs in neither."""
    images, labels = sample
    chosen = labels[:, 4] == 3  # huge ones
    bright = images[chosen].max(-1).astype(float)
    texture = labels[chosen, 3]
    inside = bright[:, 8:24, 8:24]
    changes = np.stack([np.abs(np.diff(inside, axis=axis)).mean((1, 2)) for axis in (1, 2)])
    down, across = (np.array([changes[axis, texture == kind].mean() for kind in range(4)]) for axis in (0, 1))
    assert down[1] > 1.5 * across[1] and across[2] > 1.5 * down[2]
    assert min(down[3], across[3]) > 1.5 * max(down[0], across[0])
    assert 32 * TEXTURE_PERIOD > 5, "pixels: the strongest blur of the configurations leaves half of such a wave"


def test_no_part_of_a_small_glyph_lies_outside(sample: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = sample
    edges = np.ones((32, 32), bool)
    edges[1:-1, 1:-1] = False
    coloured = saturation(images)[:, edges] > 0.5
    assert not coloured[labels[:, 4] < 2].any()


def test_the_version_is_a_setting_and_the_first_is_left_out_of_it(tmp_path: Path) -> None:
    counts = {"train": 20, "test": 10, "size": 16}
    specs = [ShapesData(kind="shapes", **counts), *(ShapesData(kind="shapes", version=v, **counts) for v in (1, 2))]
    assert ["version" in spec.model_dump() for spec in specs] == [False, False, True]
    assert ShapesData.model_validate_json(specs[2].model_dump_json()) == specs[2]
    for spec in specs[1:]:
        prepare("shapes", spec, tmp_path)
        data = open_prepared(tmp_path)
        assert f"version {spec.version}" in data.manifest.source
        assert np.array_equal(data.labels("train"), spec.known_labels.train)
        assert np.array_equal(data.labels("test"), spec.known_labels.test)
