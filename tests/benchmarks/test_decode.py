"""The comparison of decoders compares the same work: equally many crops, of the same size, from the same files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import decode


@pytest.fixture
def root(tmp_path: Path) -> Path:
    decode.write_photographs(tmp_path / "all", 2, (50, 40))
    return tmp_path


def test_files_are_photographs_of_these_sides(root: Path) -> None:
    for path in (root / "all").iterdir():
        with Image.open(path) as image:
            assert (image.format, image.size) == ("JPEG", (50, 40))
            assert np.asarray(image).std() > 20


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_both_give_two_crops_of_each_file(interpolation: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = [], []
    cut = decode.IndexedImages.crops
    monkeypatch.setattr(decode.IndexedImages, "crops", lambda *given: ours.append(cut(*given)) or ours[-1])
    decode._ours(root / "all", interpolation)()
    monkeypatch.setattr(
        decode, "DataLoader", lambda folder, size, **_: theirs.extend(map(folder.__getitem__, (0, 1))) or []
    )
    decode._torchvisions(root, interpolation)()
    assert ours[0].shape == (2, 2, 224, 224, 3)
    assert [view.shape for views, _ in theirs for view in views] == [torch.Size([3, 224, 224])] * 4


def test_cpu_time_is_that_of_all_threads() -> None:
    before = decode.cpu_seconds()
    np.linalg.svd(np.random.default_rng(0).normal(size=(150, 150)))
    assert decode.cpu_seconds() > before
