"""`mast.load_encoder` reads what the pipeline writes and gives the features that the pipeline computes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import mast
from mast.errors import MastError
from mast.evaluation.features import encode
from mast.models.encoder import build_encoder
from mast.models.encoder_file import save_encoder
from mast.models.settings import EncoderSpec

SPEC = EncoderSpec(name="resnet-narrow", stem="small", widths=(8, 8, 8, 12))
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "encoder.safetensors"
    metadata = {"encoder": SPEC.model_dump_json(), "mean": json.dumps(MEAN), "std": json.dumps(STD)}
    save_encoder(path, build_encoder(SPEC), metadata)
    return path


def test_features_are_those_of_the_pipeline(file: Path) -> None:
    images = torch.randint(0, 256, (5, 16, 16, 3), dtype=torch.uint8)
    encoder = mast.load_encoder(file)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    expected = torch.from_numpy(next(encode(encoder.encoder, images.numpy(), mean, std)))
    with torch.inference_mode():
        torch.testing.assert_close(encoder(images.permute(0, 3, 1, 2)), expected)
    assert encoder.num_features == 12
    assert not encoder.training


def test_an_exported_folder_is_read_too(file: Path) -> None:
    file.rename(file.with_name("model.safetensors"))
    assert mast.load_encoder(str(file.parent)).num_features == 12


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MastError, match="none: no such file"):
        mast.load_encoder(tmp_path / "none")


@pytest.mark.parametrize("size", [0, -3])
def test_a_side_below_one_pixel_is_refused(file: Path, tmp_path: Path, size: int) -> None:
    with pytest.raises(ValueError, match=f"size: {size}; expected 1 or more"):
        mast.embed(file, tmp_path, size=size)


def test_a_folder_of_images_is_embedded_as_the_encoder_embeds_tensors(file: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    for number, image in enumerate(pixels):
        place = tmp_path / "photos" / f"{number}" / "a.png"
        place.parent.mkdir(parents=True)
        Image.fromarray(image).save(place)
    features, files = mast.embed(file, tmp_path / "photos", size=16)
    assert files == ["0/a.png", "1/a.png", "2/a.png"]
    with torch.inference_mode():
        expected = mast.load_encoder(file)(torch.from_numpy(pixels).permute(0, 3, 1, 2))
    torch.testing.assert_close(torch.from_numpy(features), expected)
