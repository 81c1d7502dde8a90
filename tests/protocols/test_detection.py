"""Detection from encoder file to metrics file, on small scenes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from torch.utils.data import DataLoader

from mast.checkpoint import Checkpoints
from mast.data.prepare import prepare
from mast.data.prepared.store import open_prepared
from mast.data.readers.coco import CocoData
from mast.data.readers.shapes import ShapesData
from mast.data.readers.shapes_scenes import ScenesData
from mast.errors import MastError
from mast.evaluation import detection
from mast.evaluation.coco_metrics import average_precision
from mast.evaluation.detection import DetectorTraining, detect, lr_factor
from mast.evaluation.detection_images import DetectionImages, flipped
from mast.evaluation.run import evaluate_encoder
from mast.models.detector import Detector, stage_channels
from mast.models.encoder import STAGES, build_encoder
from mast.models.encoder_file import load_encoder, save_encoder
from mast.models.settings import EncoderSpec
from mast.protocols.detection import DetectionProtocol

ENCODER = EncoderSpec(name="resnet-narrow", stem="small", widths=(8, 8, 16, 16))

METADATA = {
    "run": "vicreg",
    "dataset": "shapes",
    "seed": "0",
    "encoder": ENCODER.model_dump_json(),
    "mean": "[0.5, 0.5, 0.5]",
    "std": "[0.25, 0.25, 0.25]",
    "spec_sha256": "1" * 64,
    "data_sha256": "2" * 64,
}

PROTOCOL = DetectionProtocol(
    kind="detection",
    epochs=1,
    batch_size=4,
    optimizer="adamw",
    lr=1e-3,
    warmup_steps=2,
    fpn_channels=8,
    head_channels=16,
    min_size=48,
    max_size=48,
    anchor_sizes=(8, 12, 16, 24, 32),
    proposals=30,
    rois=16,
)


def write_encoder(path: Path) -> Path:
    torch.manual_seed(0)
    save_encoder(path, build_encoder(ENCODER), METADATA)
    return path


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoder") / "encoder.safetensors")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "scenes"
    prepare("scenes", ScenesData(kind="shapes-scenes", train=12, test=6, size=48, max_objects=2), path)
    return path


def build(encoder: Path, spec: DetectionProtocol) -> tuple[Detector, torch.nn.Module]:
    model, _ = load_encoder(encoder)
    mean = torch.full((1, 3, 1, 1), 0.5)
    return Detector(model, 8, mean, mean, spec), model


def train(detector: Detector, data: Path, spec: DetectionProtocol, checkpoints: Path) -> None:
    images = DetectionImages(open_prepared(data), "train")
    DetectorTraining(detector, images, spec, "detection", 0, "cpu").run(Checkpoints(checkpoints, {}))


def test_same_seed_same_metrics_another_seed_another_detector(encoder: Path, scenes: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        evaluate_encoder("detection", PROTOCOL, encoder, scenes, tmp_path / f"{name}.json", seed)
    predictions = {name: (tmp_path / f"{name}.predictions.json").read_text() for name in "abc"}
    assert predictions["a"] == predictions["b"] != predictions["c"]
    result = json.loads((tmp_path / "a.json").read_text())
    assert result["metrics"]["box"] == average_precision(
        open_prepared(scenes).annotations("test"), json.loads(predictions["a"])
    )
    assert result["counts"] == {"train": 12, "test": 6}
    assert (result["task"], result["kind"], result["run"]) == ("scenes", "detection", "vicreg")


def test_masks_are_scored_beside_boxes(encoder: Path, scenes: Path, tmp_path: Path) -> None:
    spec = PROTOCOL.model_copy(update={"masks": True, "mask_channels": 8})
    evaluate_encoder("detection", spec, encoder, scenes, tmp_path / "m.json", 0)
    metrics = json.loads((tmp_path / "m.json").read_text())["metrics"]
    predictions = json.loads((tmp_path / "m.predictions.json").read_text())
    coco = open_prepared(scenes).annotations("test")
    assert list(metrics) == ["box", "mask"]
    assert metrics["mask"] == average_precision(coco, predictions, "mask")
    for found in predictions:
        x, y, width, height = found["bbox"]
        rows, columns = np.where(coco_mask.decode(found["segmentation"]))
        inside = (columns + 1 >= x - 1) & (columns <= x + width + 1) & (rows + 1 >= y - 1) & (rows <= y + height + 1)
        assert found["segmentation"]["size"] == [48, 48]
        assert inside.all()


@pytest.mark.parametrize("backbone", ["frozen", "finetuned"])
def test_only_fine_tuning_changes_the_encoder(encoder: Path, scenes: Path, tmp_path: Path, backbone: str) -> None:
    spec = PROTOCOL.model_copy(update={"backbone": backbone})
    detector, model = build(encoder, spec)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    neck = detector.backbone.fpn.layer_blocks[0][0].weight.clone()
    train(detector, scenes, spec, tmp_path / "kept")
    same = [torch.equal(value, before[name]) for name, value in model.state_dict().items()]
    assert all(same) if backbone == "frozen" else not any(same[:3])
    assert not torch.equal(detector.backbone.fpn.layer_blocks[0][0].weight, neck)


def test_statistics_of_the_encoder_stay_while_its_weights_are_trained(
    encoder: Path, scenes: Path, tmp_path: Path
) -> None:
    detector, model = build(encoder, PROTOCOL.model_copy(update={"batch_norm": "encoder"}))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    train(detector, scenes, PROTOCOL, tmp_path / "kept")
    same = {name: torch.equal(value, before[name]) for name, value in model.state_dict().items()}
    statistics = {name for name in same if "running" in name or "batches" in name}
    assert {name for name in same if same[name]} & statistics == statistics
    assert {name for name in same if not same[name]} >= {"conv1.weight", "bn1.weight", "bn1.bias"}


@pytest.mark.slow
def test_a_detector_learns_its_training_scenes(scenes: Path, tmp_path: Path) -> None:
    """12 scenes in 40 epochs: wrong boxes, masks, labels or normalisation would leave an AP50 near zero."""
    sizes = {"fpn_channels": 16, "head_channels": 64, "mask_channels": 16}
    spec = PROTOCOL.model_copy(update={"masks": True, "epochs": 40, "lr": 5e-3, "warmup_steps": 10, **sizes})
    torch.manual_seed(0)
    detector, _ = build(write_encoder(tmp_path / "e.safetensors"), spec)
    images = DetectionImages(open_prepared(scenes), "train", masks=True)
    DetectorTraining(detector, images, spec, "detection", 0, "cpu").run(Checkpoints(tmp_path / "kept", {}))
    found = detect(detector, images, 4, "cpu")
    assert average_precision(images.coco, found, "box")["AP50"] > 40
    assert average_precision(images.coco, found, "mask")["AP50"] > 40


@pytest.mark.parametrize(
    ("name", "channels"),
    [("resnet-narrow", [24, 48, 96, 192]), ("resnet18", [64, 128, 256, 512]), ("timm/resnet10t", [64, 128, 256, 512])],
)
def test_the_pyramid_sees_the_stages_of_the_encoder(name: str, channels: list[int]) -> None:
    model = build_encoder(EncoderSpec(name=name)).eval()
    assert stage_channels(model) == channels
    spec = PROTOCOL.model_copy(update={"fpn_channels": 8})
    detector = Detector(model, 2, torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1), spec).eval()
    seen = {}
    for stage in STAGES:
        getattr(model, stage).register_forward_hook(lambda _m, _i, output, stage=stage: seen.update({stage: output}))
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        model(image)
        expected = [seen[stage] for stage in STAGES]
        body = list(detector.backbone.body(image).values())
    for ours, theirs in zip(body, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.fixture
def in_place(scenes: Path, tmp_path: Path) -> Path:
    """The scenes as images that stay in place."""
    task = open_prepared(scenes)
    splits = {}
    for split in ("train", "test"):
        coco, folder = task.annotations(split), tmp_path / split
        folder.mkdir()
        for image in coco["images"]:
            image["file_name"] = f"{image['id']}.png"
            Image.fromarray(np.array(task.images(split)[image["id"]])).save(folder / image["file_name"])
        (tmp_path / f"{split}.json").write_text(json.dumps(coco))
        splits[split] = {"images": str(folder), "annotations": str(tmp_path / f"{split}.json")}
    prepare("own", CocoData(kind="coco", **splits), tmp_path / "own")
    return tmp_path / "own"


def test_images_in_place_equal_images_in_an_array(scenes: Path, in_place: Path) -> None:
    array, files = (DetectionImages(open_prepared(path), "test") for path in (scenes, in_place))
    assert files.in_place
    assert len(array) == len(files) == 6
    for (image, target, key), (other, other_target, other_key) in zip(array, files, strict=False):
        assert key == other_key
        torch.testing.assert_close(image, other)
        torch.testing.assert_close(target, other_target)


@pytest.mark.parametrize(("threads", "workers"), [(1, 0), (2, 1)])
def test_threads_decode_and_change_nothing(
    threads: int,
    workers: int,
    encoder: Path,
    scenes: Path,
    in_place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Trained on files, whichever the number of workers, a detector is that trained on arrays."""
    spec = PROTOCOL.model_copy(update={"epochs": 2})
    counts, weights = [], []
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(detection, "DataLoader", lambda *a, **k: counts.append(k["num_workers"]) or DataLoader(*a, **k))
    for path in (scenes, in_place):
        torch.manual_seed(0)
        detector, _ = build(encoder, spec)
        train(detector, path, spec, tmp_path / f"kept {path.name}")
        weights.append(detector.state_dict())
    assert counts == [0, workers]
    torch.testing.assert_close(weights[0], weights[1], rtol=0, atol=0)


def test_boxes_lie_on_their_objects_also_when_flipped(scenes: Path) -> None:
    """The mask of each object, from the annotations, has the box as its bounds, and mirrored the mirrored box."""
    images = DetectionImages(open_prepared(scenes), "test", masks=True)
    annotation = images.coco["annotations"][0]
    image, target, _ = images[0]
    mask = torch.from_numpy(coco_mask.decode(annotation["segmentation"]))
    mirrored = flipped(image, target)[1]
    assert torch.equal(target["masks"][0], mask)
    assert torch.equal(mirrored["masks"][0], mask.flip(1))
    for pixels, boxes in ((mask, target["boxes"]), (mask.flip(1), mirrored["boxes"])):
        rows, columns = torch.where(pixels > 0)
        bounds = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert boxes[0].tolist() == [float(bound) for bound in bounds]
    assert torch.equal(flipped(*flipped(image, target))[0], image)


def test_learning_rate_warms_up_and_falls_twice() -> None:
    factor = lr_factor(warmup=10, total=120)
    shares = [factor(step) for step in (0, 5, 10, 89, 90, 109, 110, 119)]
    np.testing.assert_allclose(shares, [0.001, 0.5005, 1, 1, 0.1, 0.1, 0.01, 0.01])


def write_nan(path: Path) -> Path:
    model = build_encoder(ENCODER)
    torch.nn.init.constant_(model.layer2[0].conv1.weight, float("nan"))
    save_encoder(path, model, METADATA)
    return path


def test_unusable_input_ends_in_one_line_without_a_metrics_file(encoder: Path, scenes: Path, tmp_path: Path) -> None:
    labelled = tmp_path / "shapes"
    prepare("shapes", ShapesData(kind="shapes", train=8, test=4, size=16), labelled)
    other = tmp_path / "other.safetensors"
    save_encoder(other, build_encoder(EncoderSpec(name="resnet-narrow")), METADATA)
    large = PROTOCOL.model_copy(update={"batch_size": 13})
    steep = PROTOCOL.model_copy(update={"optimizer": "sgd", "lr": 1e30, "warmup_steps": 0})
    for spec, encoder_file, data, message in (
        (PROTOCOL, encoder, labelled, "'shapes' has no annotations"),
        (PROTOCOL, other, scenes, "other.safetensors: weights do not fit encoder"),
        (
            PROTOCOL,
            write_nan(tmp_path / "nan.safetensors"),
            scenes,
            "nan.safetensors: layer2.0.conv1.weight is not",
        ),
        (
            large,
            encoder,
            scenes,
            "12 annotated training images are less than one batch; lower protocols.voc.batch",
        ),
        (steep, encoder, scenes, "protocols.voc.lr: training of the detector diverged at step"),
    ):
        with pytest.raises(MastError) as error:
            evaluate_encoder("voc", spec, encoder_file, data, tmp_path / "out" / "m.json", 0)
        assert message in str(error.value)
        assert "\n" not in str(error.value)
        assert not (tmp_path / "out").exists()


def test_an_object_without_mask_is_named(scenes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = open_prepared(scenes)
    coco = task.annotations("test")
    del coco["annotations"][1]["segmentation"]
    monkeypatch.setattr(task, "annotations", lambda _split: coco)
    with pytest.raises(MastError, match=r"test annotation 2 has no segmentation; annotate .* masks: false"):
        DetectionImages(task, "test", masks=True)
    assert len(DetectionImages(task, "test")) == 6


def test_a_category_outside_the_classes_is_named(scenes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = open_prepared(scenes)
    coco = task.annotations("train")
    coco["annotations"][2]["category_id"] = 9
    monkeypatch.setattr(task, "annotations", lambda _split: coco)
    with pytest.raises(MastError, match=r"train annotation 3 has category 9, outside 1…8"):
        DetectionImages(task, "train")
