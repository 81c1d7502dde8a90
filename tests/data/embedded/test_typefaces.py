"""Each factor of a printed letter shows in its pixels, and published images never change."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from mast.data.embedded.letters import CELLS, bitmaps
from mast.data.embedded.typefaces import EM, REACH, TARGETS, draw_labels, render
from mast.data.prepare import prepare
from mast.data.prepared.store import open_prepared
from mast.data.readers.typefaces import TypefacesData


@pytest.fixture(scope="module")
def sample() -> tuple[np.ndarray, np.ndarray]:
    return render(600, 32, seed=3)


def ink(images: np.ndarray) -> np.ndarray:
    """bool [N, H, W]: darker than any paper."""
    return images.min(-1) < 0.5 * 255


def test_the_images_of_generator_version_1_never_change() -> None:
    images, labels = render(4, 32, seed=0)
    digest = hashlib.sha256(images.tobytes() + labels.astype("<i8").tobytes()).hexdigest()
    assert digest == "bad517058698ab567f7029be6eddc3d17787f83485043f215514005efa071b91"


def test_an_image_depends_on_its_position_seed_and_split(sample: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = render(5, 32, seed=3)
    assert np.array_equal(images, sample[0][:5]) and np.array_equal(labels, sample[1][:5])
    for other, _ in (render(5, 32, seed=2), render(5, 32, seed=3, split="test")):
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


def shrunk(letter: np.ndarray) -> np.ndarray:
    """A letter's bounding box at 16 × 16 pixels, and beside it how much wider than high it is."""
    rows, columns = (np.flatnonzero(letter.any(axis)) for axis in (1, 0))
    box = letter[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    small = Image.fromarray(box.astype(np.uint8) * 255).resize((16, 16), Image.Resampling.BOX)
    return np.append(np.asarray(small).ravel() / 255, 8 * np.log(box.shape[1] / box.shape[0]))


def test_an_image_shows_the_letter_of_its_labels(sample: tuple[np.ndarray, np.ndarray]) -> None:
    """The nearest of all 320 letters, by pixels that are too few to tell every family from every other."""
    images, labels = sample
    known = bitmaps()
    candidates = np.stack([shrunk(letter) for letter in known.reshape(-1, CELLS, CELLS)])
    found = [np.square(candidates - shrunk(image)).sum(1).argmin() for image in ink(images[:200])]
    family, weight, slant, character = np.unravel_index(found, known.shape[:4])
    named = np.stack([character, family, weight, slant], axis=1)
    assert np.all((named == labels[:200, :4]).mean(0) > [0.95, 0.7, 0.9, 0.9])


def test_letters_have_the_stated_size_and_place(sample: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = sample
    character, family, weight, slant, _ = labels.T
    for image, letter in zip(ink(images), bitmaps()[family, weight, slant, character], strict=True):
        for axis in (0, 1):
            (first, last), (top, bottom) = (np.flatnonzero(drawn.any(axis))[[0, -1]] for drawn in (image, letter))
            smallest, largest = (em * 32 * (bottom - top + 1) / CELLS for em in EM)
            assert smallest - 2 < last - first + 1 < largest + 2
            assert abs(first + last + 1 - 32) / 64 < REACH + 1 / 32


def test_ink_is_of_the_colour_of_its_label(sample: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = sample
    for image, colour in zip(images[:300], labels[:300, 4], strict=True):
        pixels = image.reshape(-1, 3).astype(float)
        deepest = np.argsort(pixels.max(1) - pixels.min(1))[-10:]
        red, green, blue = pixels[deepest].mean(0)
        angle = np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)  # hexagon projection
        distance = (angle - 2 * np.pi * colour / 8 + np.pi) % (2 * np.pi) - np.pi
        assert abs(distance) < np.pi / 8


def test_paper_is_light_and_nearly_grey(sample: tuple[np.ndarray, np.ndarray]) -> None:
    corners = sample[0][:, [0, 0, -1, -1], [0, -1, 0, -1]].astype(float)
    blank = np.arange(600), corners.sum(2).argmax(1)  # a corner without ink
    paper = corners[blank]
    assert paper.max(1).min() > 0.6 * 255
    assert np.max((paper.max(1) - paper.min(1)) / paper.max(1)) < 0.08


@pytest.mark.parametrize("size", [16, 45])
def test_other_sizes(size: int) -> None:
    images, _ = render(20, size, seed=0)
    assert images.shape == (20, size, size, 3) and images.dtype == np.uint8
    assert np.all(ink(images).any((1, 2)))


def test_preparing_twice_gives_the_same_identity(tmp_path: Path) -> None:
    spec = TypefacesData(kind="typefaces", train=50, test=20, size=16)
    for name in "ab":
        prepare("typefaces", spec, tmp_path / name)
    first, second = open_prepared(tmp_path / "a"), open_prepared(tmp_path / "b")
    assert first.manifest == second.manifest
    first.verify()
    assert {target: len(names) for target, names in first.targets.items()} == {
        "character": 20,
        "family": 4,
        "weight": 2,
        "slant": 2,
        "colour": 8,
    }
    assert (first.count("train"), first.count("test"), len(first.val_indices)) == (50, 20, 10)
    assert np.array_equal(first.labels("train"), spec.known_labels.train)
    assert np.array_equal(first.labels("test"), spec.known_labels.test)
