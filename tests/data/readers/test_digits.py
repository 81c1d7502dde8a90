"""Every digit of scikit-learn is in one split, enlarged, with its own label."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mast.data.prepare import prepare
from mast.data.prepared.store import open_prepared
from mast.data.readers.digits import DigitsData, enlarge


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("digits")
    prepare("digits", DigitsData(kind="digits", size=16), directory)
    return directory


def test_every_digit_is_in_one_split_with_its_share(directory: Path) -> None:
    data = open_prepared(directory)
    data.verify()
    train, test = data.labels("train")[:, 0], data.labels("test")[:, 0]
    assert len(train) + len(test) == 1797
    everything = np.bincount(load_digits().target)
    assert np.array_equal(np.bincount(train) + np.bincount(test), everything)
    assert np.all(np.abs(np.bincount(test) - 0.3 * everything) <= 1)
    held_out = np.bincount(train[data.val_indices])
    assert np.all(np.abs(held_out - 0.2 * np.bincount(train)) <= 1)
    assert data.targets == {"digit": list("0123456789")}
    assert data.images("test").shape == (len(test), 16, 16, 3)


def test_images_go_with_their_labels(directory: Path) -> None:
    """A nearest-mean classifier fitted on scikit-learn's own pixels recognises the prepared images."""
    data, bunch = open_prepared(directory), load_digits()
    means = np.stack([bunch.images[bunch.target == digit].mean(0) for digit in range(10)]) * (255 / 16)
    small = data.images("test").astype(float).mean(-1).reshape(-1, 8, 2, 8, 2).mean((2, 4))
    distances = ((small[:, None] - means) ** 2).sum((2, 3))
    assert np.mean(distances.argmin(1) == data.labels("test")[:, 0]) > 0.85


def test_preparing_twice_gives_the_same_identity(directory: Path, tmp_path: Path) -> None:
    prepare("digits", DigitsData(kind="digits", size=16), tmp_path)
    assert open_prepared(tmp_path).manifest == open_prepared(directory).manifest


def test_another_split_seed_gives_another_split(directory: Path, tmp_path: Path) -> None:
    prepare("digits", DigitsData(kind="digits", size=16, split_seed=1), tmp_path)
    assert open_prepared(tmp_path).sha256 != open_prepared(directory).sha256


def test_enlarging_keeps_the_grey_levels() -> None:
    flat = enlarge(np.full((8, 8), 16.0), 20)
    assert flat.shape == (20, 20, 3) and np.all(flat == 255)
    original = np.random.default_rng(0).integers(0, 17, (8, 8)).astype(float)
    assert np.array_equal(enlarge(original, 8)[..., 0], np.rint(original * 255 / 16))
