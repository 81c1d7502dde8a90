"""The pictured pairs are the pairs that a run trains on, with the right names of the augmentations that differ."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mast.analysis.pairs import PAIRS, sample_pairs
from mast.config.pretrain import PretrainSpec
from mast.data.prepare import prepare
from mast.data.prepared.store import PreparedData, open_prepared
from mast.data.readers.folder import FolderData
from mast.data.readers.shapes import ShapesData
from mast.settings import parse


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    path = tmp_path_factory.mktemp("data") / "shapes"
    prepare("shapes", ShapesData(kind="shapes", train=40, test=4, size=16), path)
    return open_prepared(path)


def spec(method: str, **more: Any) -> PretrainSpec:
    return parse(PretrainSpec, {"dataset": "shapes", "method": method, **more}, "test").resolved()


def test_pairs_differ_where_an_augmentation_is_named(data: PreparedData) -> None:
    own = {"pairing": {"subset_probability": 0.4}}
    policy = {"augmentations": ["flip", "jitter"]}
    seen = set()
    for seed in range(4):
        pairs = sample_pairs(spec("mast", policy=policy, mast=own), data, seed)
        assert pairs["names"].tolist() == ["flip", "jitter"]
        for a, b, active in zip(pairs["a"], pairs["b"], pairs["active"], strict=True):
            assert (a != b).any() == active.any()
            seen.add(bool(active.any()))
    assert seen == {True, False}


def test_vicreg_draws_every_augmentation_twice(data: PreparedData) -> None:
    pairs = sample_pairs(spec("vicreg", policy={"augmentations": ["crop"]}), data)
    assert pairs["active"].all()
    assert pairs["images"].shape == (PAIRS, 16, 16, 3)
    assert pairs["images"].dtype == np.uint8


def test_a_method_of_single_views_has_no_second_one(data: PreparedData) -> None:
    pairs = sample_pairs(spec("supervised", policy={"augmentations": ["flip"]}), data)
    assert (len(pairs["a"]), len(pairs["b"])) == (PAIRS, 0)


def test_without_augmentations_there_is_nothing_to_show(data: PreparedData) -> None:
    assert not any(len(array) for array in sample_pairs(spec("untrained"), data).values())


def test_images_are_spread_over_the_data(data: PreparedData, tmp_path: Path) -> None:
    images = sample_pairs(spec("vicreg"), data)["images"]
    every = np.asarray(data.images("train"))
    found = [int((every == image).all(axis=(1, 2, 3)).argmax()) for image in images]
    assert found[0] == 0
    assert found[-1] == len(every) - 1


def test_images_that_stay_in_place_are_shown(tmp_path: Path) -> None:
    for number in range(8):
        Image.new("RGB", (16, 16), (30 * number,) * 3).save(tmp_path / f"{number}.png")
    reader = FolderData(kind="folder", root=str(tmp_path), size=16, storage="index")
    prepare("photos", reader, tmp_path / "prepared")
    images = sample_pairs(spec("vicreg"), open_prepared(tmp_path / "prepared"))["images"]
    assert images.mean(axis=(1, 2, 3)).tolist() == [0, 30, 60, 120, 150, 210]
