"""Features of an encoder file on a prepared dataset are extracted correctly."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mast.data.prepared.writer import Writer
from mast.errors import MastError
from mast.evaluation.features import exact_float32, extract_features
from mast.evaluation.features_file import read_features
from mast.evaluation.run import evaluate_features
from mast.files import sha256_file
from mast.models.encoder import build_encoder
from mast.models.encoder_file import save_encoder
from mast.models.settings import EncoderSpec
from mast.protocols.svm_voc import SvmProtocol

SPEC = EncoderSpec(name="resnet-narrow", stem="small", widths=(8, 8, 16, 16))

METADATA = {
    "run": "vicreg",
    "dataset": "shapes",
    "seed": "0",
    "encoder": SPEC.model_dump_json(),
    "mean": "[0.1, 0.2, 0.3]",
    "std": "[0.4, 0.5, 0.6]",
    "spec_sha256": "1" * 64,
    "data_sha256": "2" * 64,
}


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = build_encoder(SPEC)
    for name, statistic in model.named_buffers():  # far from the statistics of any batch
        if name.endswith("running_mean"):
            statistic.fill_(0.5)
    save_encoder(tmp_path / "encoder.safetensors", model, METADATA)
    return tmp_path / "encoder.safetensors"


def prepare(path: Path, labelled: bool = True, test: bool = True, side: int = 16) -> Path:
    generator = np.random.default_rng(0)
    with Writer(path) as writer:
        for split, count in (("train", 20), ("test", 9))[: 1 + test]:
            images = generator.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
            writer.split(split, images, np.arange(count)[:, None] % 2 if labelled else None)
        writer.array("val_indices.npy", np.array([1, 2, 5]))
        targets = {"parity": ["even", "odd"]} if labelled else {}
        writer.finish("toy", {}, "random", "none", targets, [0.5] * 3, [0.2] * 3)
    return path


def test_features_are_those_of_the_encoder_in_eval_mode(encoder: Path, tmp_path: Path) -> None:
    data = prepare(tmp_path / "toy")
    extract_features(encoder, data, tmp_path / "f.npz", batch_size=6)
    features = read_features(tmp_path / "f.npz")

    from safetensors.torch import load_file

    model = build_encoder(SPEC)
    model.load_state_dict(load_file(encoder))
    images = np.load(data / "test_images.npy").astype(np.float32) / 255
    normalised = (images - np.float32([0.1, 0.2, 0.3])) / np.float32([0.4, 0.5, 0.6])
    with torch.no_grad():
        expected = model.eval()(torch.tensor(normalised).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(features.test_features, expected, rtol=1e-4, atol=1e-5)
    assert features.train_features.shape == (20, 16)
    assert features.train_features.dtype == np.float32
    assert features.val_indices.tolist() == [1, 2, 5]
    assert features.classes == {"parity": ["even", "odd"]}
    assert features.origin.task == "toy"
    assert features.origin.encoder_sha256 == sha256_file(encoder)


def test_extracting_twice_gives_the_same_bytes(encoder: Path, tmp_path: Path) -> None:
    data = prepare(tmp_path / "toy")
    for name in ("a.npz", "b.npz"):
        extract_features(encoder, data, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(
    ("data", "message"),
    [({"test": False}, "'toy' has no test split"), ({"labelled": False}, "'toy' has no labels for train")],
)
def test_a_task_without_labels_or_test_images_is_refused(
    encoder: Path, tmp_path: Path, data: dict[str, bool], message: str
) -> None:
    with pytest.raises(MastError, match=message):
        extract_features(encoder, prepare(tmp_path / "toy", **data), tmp_path / "f.npz")
    assert not (tmp_path / "f.npz").exists()


def test_an_encoder_that_diverged_is_named(tmp_path: Path) -> None:
    model = build_encoder(SPEC)
    torch.nn.init.constant_(model.layer4[0].bn2.bias, float("nan"))
    file = tmp_path / "nan.safetensors"
    save_encoder(file, model, METADATA)
    with pytest.raises(MastError, match=r"nan\.safetensors: non-finite features for 20 of 20 train images of 'toy'"):
        extract_features(file, prepare(tmp_path / "toy"), tmp_path / "f.npz")
    assert not (tmp_path / "f.npz").exists()


def test_a_gpu_computes_features_in_float32_and_not_in_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    before = torch.backends.cudnn.allow_tf32
    assert before
    with exact_float32():
        assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.enabled
    assert torch.backends.cudnn.allow_tf32 == before


def test_features_of_a_grid_are_read_by_who_asks_for_them(encoder: Path, tmp_path: Path) -> None:
    data = prepare(tmp_path / "toy", side=32)
    for pooling in ("global", "grid"):
        extract_features(encoder, data, tmp_path / f"{pooling}.npz", pooling=pooling)
    plain, grid = (read_features(tmp_path / f"{pooling}.npz") for pooling in ("global", "grid"))
    assert (plain.pooling, grid.pooling) == ("global", "grid") and grid.test_features.shape == (9, 4 * 16)
    of_channels = grid.test_features.reshape(9, 16, 4).mean(axis=2)  # 2 × 2 positions are all that there are
    np.testing.assert_allclose(of_channels, plain.test_features, rtol=1e-5, atol=1e-6)
    spec = SvmProtocol(kind="svm-voc", costs=(1.0,), folds=2, pooling="grid")
    evaluate_features("svm", spec, tmp_path / "grid.npz", tmp_path / "m.json")
    with pytest.raises(
        MastError, match=r"global\.npz: holds features of pooling global, but protocols\.svm .* of grid"
    ):
        evaluate_features("svm", spec, tmp_path / "global.npz", tmp_path / "no.json")
    with pytest.raises(MastError, match=r"grid\.npz: holds features of pooling grid"):
        evaluate_features("svm", spec.model_copy(update={"pooling": "global"}), tmp_path / "grid.npz", tmp_path / "no")
    with pytest.raises(MastError, match="pooling: grid needs 2 × 2 positions"):
        extract_features(encoder, prepare(tmp_path / "small"), tmp_path / "none.npz", pooling="grid")
