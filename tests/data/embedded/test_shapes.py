"""Each factor of a drawn shape shows in its pixels, and published images never change."""

import colorsys
import hashlib
import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mast.data.embedded.glyphs import BITMAPS, GLYPHS, Glyphs, colours, coverage
from mast.data.embedded.shapes import TARGETS, render
from mast.data.prepare import prepare
from mast.data.prepared.store import open_prepared
from mast.data.readers.shapes import ShapesData


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, np.ndarray]:
    return render(2000, 32, seed=3)


def saturation(images: np.ndarray) -> np.ndarray:
    high, low = images.max(-1).astype(float), images.min(-1).astype(float)
    return (high - low) / np.maximum(high, 1)


def test_an_image_depends_on_its_position_and_not_on_the_count(sample: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = sample
    few_images, few_labels = render(7, 32, seed=3)
    assert np.array_equal(few_images, images[:7])
    assert np.array_equal(few_labels, labels[:7])


def test_seeds_and_splits_draw_different_images() -> None:
    reference, _ = render(5, 32, seed=0)
    for other, _ in (render(5, 32, seed=1), render(5, 32, seed=0, split="test")):
        assert not any(np.array_equal(a, b) for a in reference for b in other)


def test_the_images_of_generator_version_1_never_change() -> None:
    images, labels = render(4, 32, seed=0)
    digest = hashlib.sha256(images.tobytes() + labels[:, :5].astype("<i8").tobytes()).hexdigest()
    assert digest == "db63122c5eff2f301cb8201cb7ae2982174ceda35572c42f93e927cdf450552a"


def test_shapes_and_types(sample: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = sample
    assert images.shape == (2000, 32, 32, 3) and images.dtype == np.uint8
    assert labels.shape == (2000, 6) and labels.dtype == np.int64


def test_factors_are_uniform_and_independent(sample: tuple[np.ndarray, np.ndarray]) -> None:
    _, labels = sample
    for column, names in enumerate(TARGETS.values()):
        counts = np.bincount(labels[:, column], minlength=len(names))
        assert len(counts) == len(names)
        assert stats.chisquare(counts).pvalue > 1e-4
        for other in range(column):
            table = stats.contingency.crosstab(labels[:, column], labels[:, other]).count
            assert stats.chi2_contingency(table).pvalue > 1e-4


def test_backgrounds_are_nearly_grey_and_glyphs_are_not(sample: tuple[np.ndarray, np.ndarray]) -> None:
    images, _ = sample
    values = saturation(images)
    share = np.mean((values > 0.08) & (values < 0.3))
    assert share < 0.06, "only antialiased edges lie between grey background and coloured glyph"
    assert np.all((values > 0.5).sum((1, 2)) > 30)


def test_the_hue_of_the_most_coloured_pixels_is_the_class(sample: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = sample
    for image, hue_class in zip(images[:300], labels[:300, 1], strict=True):
        pixels = image.reshape(-1, 3).astype(float)
        brightest = np.argsort(pixels.max(1) - pixels.min(1))[-20:]
        red, green, blue = pixels[brightest].mean(0)
        angle = np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)  # hexagon projection
        distance = (angle - 2 * np.pi * hue_class / 8 + np.pi) % (2 * np.pi) - np.pi
        assert abs(distance) < np.pi / 8


def test_area_grows_with_the_size_class(sample: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = sample
    area = (saturation(images) > 0.3).sum((1, 2))
    means = [area[labels[:, 4] == size].mean() for size in range(4)]
    assert all(larger > 1.3 * smaller for smaller, larger in itertools.pairwise(means))


def test_light_is_the_side_on_which_a_plane_through_the_background_is_higher(
    sample: tuple[np.ndarray, np.ndarray],
) -> None:
    images, labels = sample
    down, across = np.mgrid[:32, :32]
    slopes = []
    for image, background in zip(images[:500], saturation(images[:500]) < 0.08, strict=True):
        plane = np.column_stack([np.ones(background.sum()), across[background], down[background]])
        slopes.append(np.linalg.lstsq(plane, image.mean(2)[background])[0][1])
    clear = np.abs(slopes) > 0.3  # grey levels per pixel; the noise of a pixel is up to 8 %
    assert clear.mean() > 0.6
    assert np.array_equal(np.array(slopes)[clear] > 0, labels[:500][clear, 5] == 1)


def test_no_glyph_is_a_mirror_image_of_any() -> None:
    for bitmap in BITMAPS:
        for other in BITMAPS:
            for turns in (0, 2):
                assert not np.array_equal(np.rot90(bitmap, turns), other[:, ::-1])
    assert len({bitmap.tobytes() for bitmap in BITMAPS}) == len(GLYPHS) == 8


def one_glyph(canvas: int = 48, **changes: object) -> tuple[np.ndarray, np.ndarray]:
    fields = {"shape": 0, "texture": 0, "mirrored": False, "side": canvas / 2, "angle": 0.0, "phase": 0.0}
    fields |= {"x": canvas / 2, "y": canvas / 2} | changes
    return coverage(Glyphs(**{name: np.array([value]) for name, value in fields.items()}), canvas, period=8.0)


@pytest.mark.parametrize("shape", range(8))
@pytest.mark.parametrize("mirrored", [False, True])
def test_an_upright_glyph_covers_exactly_its_bitmap(shape: int, mirrored: bool) -> None:
    bright, dark = one_glyph(shape=shape, mirrored=mirrored)
    bitmap = BITMAPS[shape][:, ::-1] if mirrored else BITMAPS[shape]
    expected = np.zeros((48, 48))
    expected[12:36, 12:36] = np.kron(bitmap, np.ones((4, 4)))
    assert np.array_equal(bright[0], expected)
    assert not dark.any()


def test_textures_split_the_glyph_into_two_tones() -> None:
    plain, _ = one_glyph(side=48)
    tones = [one_glyph(side=48, texture=texture) for texture in range(1, 4)]
    for bright, dark in tones:
        assert np.array_equal(bright + dark, plain)
        assert 0.3 < dark.sum() / plain.sum() < 0.7
    (_, rows), (_, columns), _ = tones
    assert set(np.unique(rows[0, :, 2])) == {0, 1} and len(np.unique(rows[0, 44, :])) == 1
    assert len(np.unique(columns[0, :, 2])) == 1 and set(np.unique(columns[0, 44, :])) == {0, 1}


def test_colours_are_those_of_colorsys() -> None:
    hues, saturations, values = np.random.default_rng(0).random((3, 50))
    expected = [colorsys.hsv_to_rgb(*hsv) for hsv in zip(hues, saturations, values, strict=True)]
    np.testing.assert_allclose(colours(hues, saturations, values), expected, atol=1e-12)


@pytest.mark.parametrize("size", [16, 45])
def test_other_sizes(size: int) -> None:
    images, _ = render(20, size, seed=0)
    assert images.shape == (20, size, size, 3)
    assert np.all((saturation(images) > 0.5).any((1, 2)))


def test_preparing_twice_gives_the_same_identity(tmp_path: Path) -> None:
    spec = ShapesData(kind="shapes", train=50, test=20, size=16)
    for name in "ab":
        prepare("shapes", spec, tmp_path / name)
    first, second = open_prepared(tmp_path / "a"), open_prepared(tmp_path / "b")
    assert first.manifest == second.manifest
    first.verify()
    assert list(first.targets) == ["shape", "hue", "facing", "texture", "size", "light"]
    assert (first.count("train"), first.count("test"), len(first.val_indices)) == (50, 20, 10)
    assert "version 1" in first.manifest.source
    pixels = first.images("train").reshape(-1, 3) / 255
    np.testing.assert_allclose(first.mean, pixels.mean(0), atol=1e-6)
    np.testing.assert_allclose(first.std, pixels.std(0), atol=1e-6)
