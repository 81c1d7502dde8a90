"""Protocols that train on images: linear heads by SGD, and fine-tuning on a share of the labels."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from support.origins import ORIGIN
from torch.utils.data import BatchSampler, DistributedSampler

from mast.checkpoint import Checkpoints
from mast.data.prepared.store import open_prepared
from mast.data.prepared.writer import Writer
from mast.errors import MastError
from mast.evaluation import sgd
from mast.evaluation.features import extract_features
from mast.evaluation.features_file import read_features
from mast.evaluation.images import labelled_images
from mast.evaluation.inputs import EncoderInputs
from mast.evaluation.run import evaluate_encoder, evaluate_features
from mast.evaluation.sgd import Backbone, HeadTraining, build_heads
from mast.models.encoder import build_encoder
from mast.models.encoder_file import save_encoder
from mast.models.settings import EncoderSpec
from mast.protocols._semi import SemiProtocol, finetune, labelled_subset, subset_hash
from mast.protocols.linear_sgd import LinearSgdProtocol
from mast.protocols.semi_10 import Semi10Protocol
from mast.protocols.svm_voc import SvmProtocol

ENCODER = EncoderSpec(name="resnet-narrow", stem="small", widths=(8, 8, 16, 16))
METADATA = {
    "run": "vicreg",
    "dataset": "toy",
    "seed": "0",
    "encoder": ENCODER.model_dump_json(),
    "mean": "[0.5, 0.5, 0.5]",
    "std": "[0.25, 0.25, 0.25]",
    "spec_sha256": "1" * 64,
    "data_sha256": "2" * 64,
}
COLOURS = np.array([[220, 30, 30], [30, 220, 30], [30, 30, 220]], np.uint8)
NO_CROP = {"crop": {"probability": 0}, "flip": {"probability": 0}}
SGD = LinearSgdProtocol(kind="linear-sgd", epochs=15, batch_size=30, lr_head=0.5)
SEMI = Semi10Protocol(kind="semi-10", epochs=15, batch_size=6, lr_backbone=0.05)


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_encoder(tmp_path / "encoder.safetensors", build_encoder(ENCODER), METADATA)
    return tmp_path / "encoder.safetensors"


def prepare(path: Path, relabel: Callable[[np.ndarray], np.ndarray] = lambda labels: labels, noise: int = 10) -> Path:
    """Images of one colour each; the label is the colour, unless `relabel` changes it."""
    generator = np.random.default_rng(0)
    with Writer(path) as writer:
        for split, count in (("train", 90), ("test", 60)):
            colours = np.arange(count) % 3
            images = COLOURS[colours][:, None, None] + generator.integers(-noise, noise + 1, (count, 16, 16, 3))
            writer.split(split, images.clip(0, 255).astype(np.uint8), relabel(colours[:, None]))
        writer.array("val_indices.npy", np.arange(0, 90, 5))
        writer.finish("toy", {}, "random", "none", {"colour": ["red", "green", "blue"]}, [0.5] * 3, [0.25] * 3)
    return path


def shuffled(labels: np.ndarray) -> np.ndarray:
    return np.random.default_rng(5).permutation(labels)


def result(path: Path) -> dict:
    return json.loads(path.read_text())


@pytest.mark.slow
def test_linear_head_learns_separable_classes_and_no_random_labels(encoder: Path, tmp_path: Path) -> None:
    evaluate_encoder("sgd", SGD, encoder, prepare(tmp_path / "toy"), tmp_path / "m.json")
    assert result(tmp_path / "m.json")["metrics"] == {
        "colour": {"top1": 100.0, "mean_per_class": 100.0, "top1_best_epoch": 100.0}
    }
    evaluate_encoder("sgd", SGD, encoder, prepare(tmp_path / "random", shuffled), tmp_path / "r.json")
    metrics = result(tmp_path / "r.json")["metrics"]["colour"]
    assert abs(metrics["top1"] - 100 / 3) < 3 * 100 * np.sqrt(2 / 9 / 60)
    assert metrics["top1_best_epoch"] >= metrics["top1"]


@pytest.mark.slow
def test_linear_head_without_augmentation_ends_where_scikit_learn_does(encoder: Path, tmp_path: Path) -> None:
    """Noisy labels, so that the optimum is finite."""
    data = prepare(tmp_path / "toy", lambda labels: np.where(np.arange(len(labels))[:, None] % 4 == 0, 0, labels), 5)
    spec = LinearSgdProtocol(kind="linear-sgd", epochs=200, batch_size=90, lr_head=0.5, **NO_CROP)
    evaluate_encoder("sgd", spec, encoder, data, tmp_path / "m.json")
    extract_features(encoder, data, tmp_path / "f.npz")
    features = read_features(tmp_path / "f.npz")
    oracle = LogisticRegression(C=1.0, max_iter=10_000).fit(features.train_features, features.train_labels[:, 0])
    expected = 100 * oracle.score(features.test_features, features.test_labels[:, 0])
    assert abs(result(tmp_path / "m.json")["metrics"]["colour"]["top1"] - expected) < 2
    assert 50 < expected < 100


@pytest.mark.slow
def test_fine_tuning_learns_separable_classes_from_a_tenth_of_the_labels(encoder: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        evaluate_encoder("semi", SEMI, encoder, prepare(tmp_path / "toy"), tmp_path / f"{name}.json")
    found = result(tmp_path / "a.json")
    assert found["metrics"] == {"colour": {"top1": 100.0, "mean_per_class": 100.0}}
    of_this_run = {"seconds": 0, "content_sha256": ""}
    assert result(tmp_path / "b.json") | of_this_run == found | of_this_run
    chosen = labelled_subset(np.arange(90) % 3, 0.1, 0)
    assert found["details"] == {"labelled": {"colour": {"count": 9, "sha256": subset_hash(chosen)}}}


def test_fine_tuning_on_random_labels_is_chance(encoder: Path, tmp_path: Path) -> None:
    spec = SEMI.model_copy(update={"batch_size": 9})
    evaluate_encoder("semi", spec, encoder, prepare(tmp_path / "toy", shuffled), tmp_path / "m.json")
    assert abs(result(tmp_path / "m.json")["metrics"]["colour"]["top1"] - 100 / 3) < 3 * 100 * np.sqrt(2 / 9 / 60)


def test_batch_norm_is_in_train_mode_while_fine_tuning(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []
    load = sgd.load_finite_encoder

    def remembered(path: Path) -> tuple[torch.nn.Module, dict[str, str]]:
        trained.append(load(path))
        return trained[-1]

    monkeypatch.setattr(sgd, "load_finite_encoder", remembered)
    task = open_prepared(prepare(tmp_path / "toy"))
    spec = SEMI.model_copy(update={"epochs": 1})
    inputs = EncoderInputs("semi", encoder, task, ORIGIN, 0, tmp_path / "kept")
    scores = finetune(spec, inputs, labelled_images(task, "test"), 3, inputs.saved(spec))
    assert scores.shape == (60, 3)
    before, after = load(encoder)[0].state_dict(), trained[0][0].state_dict()
    assert not torch.equal(before["bn1.running_mean"], after["bn1.running_mean"])
    assert not torch.equal(before["layer1.0.conv1.weight"], after["layer1.0.conv1.weight"])


def test_batch_norm_sees_what_a_gpu_sees(encoder: Path) -> None:
    """The result equals one encoder per GPU, as in DistributedDataParallel without synchronised batch norm."""
    view = torch.rand(24, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    whole = Backbone.load(encoder, 0, "cpu", norm_images=8)
    copies = [Backbone.load(encoder, 0, "cpu").model.double().train() for _ in range(3)]
    for statistic in (whole.mean, whole.std):
        statistic.data = statistic.double()
    features = dataclasses.replace(whole, model=whole.model.double().train()).features(view)
    parts = [model((part - whole.mean) / whole.std) for model, part in zip(copies, view.split(8), strict=True)]
    torch.testing.assert_close(features, torch.cat(parts))
    features.square().mean().backward()
    for part in parts:
        part.square().mean().backward()
    for ours, *theirs in zip(whole.model.parameters(), *(model.parameters() for model in copies), strict=True):
        torch.testing.assert_close(ours.grad, torch.stack([one.grad for one in theirs]).mean(dim=0))
    for (name, ours), theirs in zip(whole.model.named_buffers(), copies[0].buffers(), strict=True):
        assert "running" not in name or torch.equal(ours, theirs), "the statistics of the first GPU"
    assert all(layer.momentum == 0.1 for layer in whole.model.modules() if isinstance(layer, torch.nn.BatchNorm2d))


@pytest.mark.parametrize(
    ("norm_images", "images", "parts"),
    [(8, 8, [8]), (8, 9, [5, 4]), (8, 17, [6, 6, 5]), (8, 24, [8, 8, 8]), (2, 3, [3]), (2, 5, [3, 2]), (3, 4, [2, 2])],
)
def test_a_batch_is_split_evenly_for_batch_norm(encoder: Path, norm_images: int, images: int, parts: list[int]) -> None:
    backbone, seen = Backbone.load(encoder, 0, "cpu", norm_images=norm_images), []
    backbone.model.conv1.register_forward_hook(lambda _model, inputs, _output: seen.append(len(inputs[0])))
    backbone.model.train()
    backbone.features(torch.rand(images, 3, 16, 16))
    assert seen == parts
    seen.clear()
    backbone.model.eval()
    backbone.features(torch.rand(images, 3, 16, 16))
    assert seen == [images]


def test_heads_are_trained_on_every_image_of_an_epoch(encoder: Path, tmp_path: Path) -> None:
    """The last batch may be short: 90 images in batches of 40 are three steps."""
    task = open_prepared(prepare(tmp_path / "toy"))
    spec = SGD.model_copy(update={"epochs": 2, "batch_size": 40})
    backbone = Backbone.load(encoder, 0, "cpu")
    training = HeadTraining("sgd", spec, backbone, build_heads(backbone, [3]), labelled_images(task, "test"), 0)
    seen = []
    training._descend = lambda view, labels, *_: seen.append((len(view), len(labels))) or torch.zeros(())
    training.run(Checkpoints(tmp_path / "kept", {}))
    assert seen == [(40, 40), (40, 40), (10, 10)] * 2
    group = training._optimizer.param_groups[0]
    assert (group["momentum"], group["dampening"], group["nesterov"]) == (0.9, 0, False)


def test_the_last_batch_is_filled_up_as_the_published_code_does_for_its_gpus(encoder: Path, tmp_path: Path) -> None:
    """torch's DistributedSampler for 8 processes that share 90 images; batches of 40, 5 images a process."""
    task, backbone = open_prepared(prepare(tmp_path / "toy")), Backbone.load(encoder, 0, "cpu")
    spec = SGD.model_copy(update={"epochs": 1, "batch_size": 40, "last_batch_multiple": 8})
    training = HeadTraining("sgd", spec, backbone, build_heads(backbone, [3]), labelled_images(task, "test"), 0)
    samplers = [DistributedSampler(range(90), 8, rank, shuffle=False) for rank in range(8)]
    per_process = [len(list(batch)) for batch in BatchSampler(samplers[0], 5, drop_last=False)]
    assert [training._batches.size(step) for step in range(3)] == [8 * count for count in per_process] == [40, 40, 16]
    order = training._batches.indices(0, 0)
    epoch = np.concatenate([training._batches.indices(0, step) for step in range(3)])
    expected = sorted(position for sampler in samplers for position in sampler)
    np.testing.assert_array_equal(np.sort(epoch[:90]), np.arange(90))
    np.testing.assert_array_equal(epoch[90:], order[: len(expected) - 90])


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("spec", [SGD, SEMI])
def test_reduced_precision_trains_nearly_the_same(
    encoder: Path, tmp_path: Path, spec: LinearSgdProtocol | SemiProtocol, precision: str
) -> None:
    """Only the encoder uses it; weights stay float32, and the scaler of fp16 is part of a checkpoint."""
    task, ends = open_prepared(prepare(tmp_path / "toy")), {}
    images = labelled_images(task, "test")
    for name in ("fp32", precision):
        own = spec.model_copy(update={"epochs": 1, "batch_size": 30, "precision": name})
        backbone = Backbone.load(encoder, 0, "cpu")
        backbone.model.train(spec is SEMI)
        rate = 0.05 if spec is SEMI else None
        training = HeadTraining("mine", own, backbone, heads := build_heads(backbone, [3]), images, 0, rate)
        training.run(Checkpoints(tmp_path / name, {}))
        assert bool(training.state()["scaler"]) == (name == "fp16")
        training.load(training.state())
        ends[name] = heads[0].weight.detach()
    assert ends[precision].dtype == torch.float32
    assert not torch.equal(ends[precision], ends["fp32"])
    torch.testing.assert_close(ends[precision], ends["fp32"], rtol=0, atol=0.05 * float(ends["fp32"].abs().max()))


@pytest.mark.parametrize(("fraction", "counts"), [(0.01, [1, 1, 2]), (0.1, [1, 5, 20]), (1.0, [3, 50, 200])])
def test_labelled_subset_holds_the_same_share_of_each_class(fraction: float, counts: list[int]) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [3, 50, 200]))
    chosen = labelled_subset(labels, fraction, seed=0)
    np.testing.assert_array_equal(np.bincount(labels[chosen]), counts)
    assert len(np.unique(chosen)) == len(chosen)
    np.testing.assert_array_equal(chosen, labelled_subset(labels, fraction, seed=0))
    if fraction < 1:
        assert subset_hash(chosen) != subset_hash(labelled_subset(labels, fraction, seed=1))


def test_validation_split_trains_on_the_other_images(encoder: Path, tmp_path: Path) -> None:
    spec = SGD.model_copy(update={"split": "val", "epochs": 1})
    evaluate_encoder("sgd", spec, encoder, prepare(tmp_path / "toy"), tmp_path / "m.json")
    assert result(tmp_path / "m.json")["counts"] == {"train": 72, "test": 18}


@pytest.mark.parametrize(
    ("relabel", "update", "message"),
    [
        (lambda labels: labels * 0, {}, "training images of target 'colour' hold one class"),
        (lambda labels: labels + 1, {}, "train label 3 of target 'colour' is outside 0…2"),
        (lambda labels: labels, {"batch_size": 91}, r"protocols\.mine\.batch_size: 91, but there are"),
        (lambda labels: labels, {"lr_head": 1e38}, r"protocols\.mine\.lr_head: training diverged in epoch"),
    ],
)
@pytest.mark.parametrize("spec", [SGD, SEMI])
def test_unusable_input_is_one_line_and_leaves_no_file(
    encoder: Path,
    tmp_path: Path,
    spec: LinearSgdProtocol | SemiProtocol,
    relabel: Callable[[np.ndarray], np.ndarray],
    update: dict[str, float],
    message: str,
) -> None:
    spec = spec.model_copy(update={"epochs": 4, **update})
    with pytest.raises(MastError, match=message) as error:
        evaluate_encoder("mine", spec, encoder, prepare(tmp_path / "toy", relabel), tmp_path / "m.json")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "m.json").exists()


@pytest.mark.parametrize("spec", [SGD, SEMI])
def test_an_encoder_that_diverged_is_named(tmp_path: Path, spec: LinearSgdProtocol | SemiProtocol) -> None:
    model = build_encoder(ENCODER)
    torch.nn.init.constant_(model.layer4[0].bn2.bias, float("nan"))
    save_encoder(tmp_path / "nan.safetensors", model, METADATA)
    with pytest.raises(MastError, match=r"nan\.safetensors: layer4\.0\.bn2\.bias is not finite"):
        evaluate_encoder("mine", spec, tmp_path / "nan.safetensors", prepare(tmp_path / "toy"), tmp_path / "m.json")
    assert not (tmp_path / "m.json").exists()


def test_multi_label_data_pass_from_images_to_svms_and_nowhere_else(encoder: Path, tmp_path: Path) -> None:
    """One target per class, `absent` or `present`; the label −1 marks an image for which the class is ignored."""
    generator = np.random.default_rng(0)
    with Writer(tmp_path / "voc") as writer:
        for split, count in (("train", 60), ("test", 45)):
            colours = np.arange(count) % 3
            images = COLOURS[colours][:, None, None] + generator.integers(0, 11, (count, 16, 16, 3))
            labels = np.eye(3, dtype=np.int64)[colours]
            labels[::15, 1] = -1
            writer.split(split, images.astype(np.uint8), labels)
        writer.array("val_indices.npy", np.arange(0, 60, 5))
        targets = {colour: ["absent", "present"] for colour in ("red", "green", "blue")}
        writer.finish("voc", {}, "random", "none", targets, [0.5] * 3, [0.25] * 3)
    extract_features(encoder, tmp_path / "voc", tmp_path / "f.npz")
    spec = SvmProtocol(kind="svm-voc", costs=(100.0,), folds=2)
    evaluate_features("svm", spec, tmp_path / "f.npz", tmp_path / "m.json")
    metrics = result(tmp_path / "m.json")["metrics"]
    assert metrics.keys() == {"classes", "red", "green", "blue"}
    assert metrics["classes"]["mAP"] > 99
    with pytest.raises(MastError, match="train label -1 of target 'green' is outside 0…1"):
        evaluate_encoder("sgd", SGD, encoder, tmp_path / "voc", tmp_path / "s.json")
