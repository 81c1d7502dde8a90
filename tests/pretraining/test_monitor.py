"""Measurements of an encoder while it trains are right, and change nothing."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mast.config.monitor import MonitorSpec
from mast.config.pretrain import PretrainSpec
from mast.data.prepared.store import open_prepared
from mast.distributed import ALONE
from mast.learner import Learner
from mast.methods import METHODS
from mast.pretraining.events import MASK_HEIGHT
from mast.pretraining.monitor import RIDGE, Monitor, _probe
from mast.pretraining.run import NOTHING, pretrain
from mast.settings import parse

SPEC = {
    "dataset": "shapes",
    "method": "mast",
    "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 8, 8, 8]},
    "projector": {"hidden": 8, "output": 8},
    "optimizer": {"name": "adamw", "lr": 0.003, "warmup_epochs": 0.5},
    "epochs": 3,
    "batch_size": 16,
    "log_every": 2,
}


def trained(data: Path, output: Path, monitor: MonitorSpec) -> list[dict[str, object]]:
    pretrain(parse(PretrainSpec, SPEC, "test"), "r", 0, data, output, "cpu", torch.get_num_threads(), monitor)
    return [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_looks_enter_the_log_and_change_nothing(data: Path, tmp_path: Path) -> None:
    without = trained(data, tmp_path / "without", NOTHING)
    looked_at = trained(data, tmp_path / "with", MonitorSpec(epochs=2, images=40))
    encoders = [(tmp_path / name / "encoder.safetensors").read_bytes() for name in ("without", "with")]
    assert encoders[0] == encoders[1]
    # Three steps in an epoch, a line every two: a look after the sixth step, and after the last.
    assert [line["step"] for line in looked_at if "knn" in line] == [6, 9]
    assert all(0 <= line["knn"] <= 100 and 0 <= line["probe"] <= 100 for line in looked_at if "knn" in line)
    for plain, line in zip(without, looked_at, strict=True):
        for own in ("knn", "probe", "images_per_second"):
            plain.pop(own, None)
            line.pop(own, None)
        assert plain == line


def test_the_probe_is_ridge_regression() -> None:
    random = np.random.default_rng(0)
    known, asked = random.normal(size=(60, 7)).astype(np.float32), random.normal(size=(9, 7)).astype(np.float32)
    labels = random.integers(0, 4, 60)
    centred = known - known.mean(axis=0, dtype=np.float64)
    ridge = Ridge(alpha=RIDGE * 60 * float(np.square(centred).mean())).fit(known.astype(np.float64), np.eye(4)[labels])
    np.testing.assert_allclose(_probe(known, labels, asked, 4), ridge.predict(asked.astype(np.float64)), rtol=1e-6)


class Brightness(torch.nn.Module):
    """Features that say how bright an image is, and nothing else."""

    num_features = 2

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        mean = images.mean(dim=(1, 2, 3))
        return torch.stack((mean, torch.ones_like(mean)), dim=1)


def test_what_features_know_is_found_and_the_images_are_apart(data: Path) -> None:
    prepared = open_prepared(data)
    learner = Learner(
        METHODS["vicreg"](parse(PretrainSpec, SPEC | {"method": "vicreg"}, "test").resolved()),
        16,
        prepared.mean,
        prepared.std,
        [],
        ALONE,
    )
    monitor = Monitor(MonitorSpec(epochs=1, images=40), prepared, learner, steps_per_epoch=3)
    learner.encoder = Brightness().train()
    monitor._classes = [2]
    for name in ("known", "asked"):
        bright = getattr(monitor, f"_{name}").mean(axis=(1, 2, 3), keepdims=False)
        setattr(monitor, f"_{name}_labels", (bright > np.median(bright)).astype(int)[:, None])
    seen = monitor.look()
    assert seen["probe"] > 80
    assert learner.encoder.training
    validation = {image.tobytes() for image in np.asarray(prepared.images("train"))[prepared.val_indices]}
    assert all(image.tobytes() in validation for image in monitor._asked)
    assert not any(image.tobytes() in validation for image in monitor._known)


class Sorted:
    """Data sorted by class, of which the second target is ignored in most images."""

    name, targets = "sorted", {"class": ["a", "b", "c", "d"], "rare": ["no", "yes"]}
    val_indices = np.arange(0, 400, 4)

    def __init__(self, labels: np.ndarray | None) -> None:
        self._labels = labels

    def labels(self, split: str) -> np.ndarray | None:
        return self._labels

    def images(self, split: str) -> np.ndarray:
        grey = np.arange(400) // 100 * 60
        return np.broadcast_to(grey[:, None, None, None], (400, 8, 8, 3)).astype(np.uint8)


class Grey(torch.nn.Module):
    """A feature for each of four greys."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.eye(4)[(images.mean(dim=(1, 2, 3)) * 255 / 60).round().long()]


def looked(labels: np.ndarray | None) -> Monitor:
    learner = SimpleNamespace(encoder=Grey(), mean=torch.zeros(1, 3, 1, 1), std=torch.ones(1, 3, 1, 1))
    return Monitor(MonitorSpec(epochs=1, images=40), Sorted(labels), learner, steps_per_epoch=3)


def test_of_sorted_data_all_classes_are_looked_at_and_ignored_labels_are_left_out() -> None:
    labels = np.stack((np.arange(400) // 100, np.full(400, -1)), axis=1)
    monitor = looked(labels)
    assert set(monitor._known_labels[:, 0]) == set(monitor._asked_labels[:, 0]) == {0, 1, 2, 3}
    assert monitor.look() == {"knn": 100.0, "probe": 100.0}
    labels[::3, 1] = labels[::3, 0] // 2  # known for a third of the images
    assert looked(labels).look() == {"knn": 100.0, "probe": 100.0}


@pytest.mark.parametrize("labels", [None, np.full((400, 2), -1)], ids=["unlabeled", "all ignored"])
def test_without_labels_nothing_is_looked_at(labels: np.ndarray | None, caplog: pytest.LogCaptureFixture) -> None:
    assert not looked(labels).due(3, 3)
    assert "monitor: 'sorted' has no labels" in caplog.text


def test_looks_are_due_every_few_epochs_and_at_the_end(data: Path) -> None:
    monitor = Monitor.__new__(Monitor)
    monitor._every = 10
    assert [done for done in range(1, 26) if monitor.due(done, 25)] == [10, 20, 25]
    monitor._every = 0
    assert not monitor.due(25, 25)


@pytest.mark.slow
def test_event_files_repeat_the_log_once(data: Path, tmp_path: Path) -> None:
    monitor = MonitorSpec(epochs=2, images=40, tensorboard=True)
    lines = trained(data, tmp_path, monitor)
    (tmp_path / "run.json").unlink()
    lines = trained(data, tmp_path, monitor)  # once more, over the events of the first time
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [line["step"] for line in lines]
    assert [event.value for event in events.Scalars("knn")] == pytest.approx([x["knn"] for x in lines if "knn" in x])
    assert [event.value for event in events.Scalars("mask_mean/crop")] == pytest.approx(
        [line["mask_mean"][0] for line in lines]
    )
    assert set(events.Tags()["images"]) == {"views", "masks"}
    views, masks = events.Images("views")[0], events.Images("masks")[-1]
    assert (views.width, views.height) == (3 * (16 + 2), 6 * 16)
    assert (masks.width, masks.height, masks.step) == (8, 5 * MASK_HEIGHT, 9)
