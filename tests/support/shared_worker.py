"""Started by test_shared.py in two processes, and called by it in one: training of evaluations, and features."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import distributed

from mast import training
from mast.data.prepare import prepare
from mast.data.prepared.store import open_prepared
from mast.data.prepared.writer import Writer
from mast.data.readers.coco import CocoData
from mast.distributed import ALONE, World, join
from mast.evaluation import features
from mast.evaluation.features import extract_features
from mast.evaluation.inputs import EncoderInputs
from mast.models.encoder import build_encoder
from mast.models.encoder_file import save_encoder
from mast.models.settings import EncoderSpec
from mast.protocols import Protocol
from mast.protocols.detection import DetectionProtocol
from mast.protocols.linear_sgd import LinearSgdProtocol
from mast.protocols.semi_10 import Semi10Protocol
from mast.signals import StoppedBySignalError
from support.origins import ORIGIN

ENCODER = EncoderSpec(name="resnet-narrow", stem="small", widths=(8, 8, 8, 8))
METADATA = {
    **{"run": "vicreg", "dataset": "toy", "seed": "0", "encoder": ENCODER.model_dump_json()},
    **{"mean": "[0.5, 0.5, 0.5]", "std": "[0.25, 0.25, 0.25]", "spec_sha256": "1" * 64, "data_sha256": "2" * 64},
}
SEMI = Semi10Protocol(
    kind="semi-10", fraction=0.5, epochs=2, batch_size=12, norm_images=4, lr_backbone=0.05, lr_head=0.1
)
NORMALISED = LinearSgdProtocol(
    **{"kind": "linear-sgd", "epochs": 3, "batch_size": 16, "lr_head": 0.1, "head": "normalised", "nesterov": True},
    **{"schedule": "steps", "milestones": (2,), "lr_batch": 8, "weight_decay": 0.01},
)
DETECTION = DetectionProtocol(
    **{"kind": "detection", "epochs": 2, "batch_size": 2, "lr": 0.01, "warmup_steps": 2, "masks": True},
    **{"fpn_channels": 8, "head_channels": 16, "mask_channels": 8, "anchor_sizes": (8, 12, 16, 24, 32)},
    **{"min_size": 48, "max_size": 96, "train_sizes": (48, 52), "proposals": 30, "rois": 16},
)
CASES: dict[str, tuple[Protocol, str]] = {
    "linear head": (LinearSgdProtocol(kind="linear-sgd", epochs=2, batch_size=16, lr_head=0.5), "toy"),
    "normalised head": (NORMALISED, "toy"),
    "fine-tuning": (SEMI, "toy"),
    "fine-tuning, whole batches": (SEMI.model_copy(update={"norm_images": None}), "toy"),
    "detection": (DETECTION, "scenes"),
    "detection, encoder's statistics": (DETECTION.model_copy(update={"batch_norm": "encoder"}), "scenes"),
    "detection, c4": (DETECTION.model_copy(update={"architecture": "c4", "precise_batches": 2}), "scenes"),
}
STOPPED = ("linear head", "fine-tuning", "detection, c4")
"""Kinds of training that are also stopped, and started again."""
STOP_AT = 3
"""The step before which one process gets the signal."""

Stop = AbstractContextManager[Callable[[], bool]]


def make_data(directory: Path) -> None:
    """An encoder; images, whose last batch is short and odd; scenes of several sizes, each a file of its own."""
    torch.manual_seed(0)
    save_encoder(directory / "encoder.safetensors", build_encoder(ENCODER), METADATA)
    generator = np.random.default_rng(0)
    with Writer(directory / "toy") as writer:
        for split, count in (("train", 37), ("test", 11)):
            labels = np.arange(count)[:, None] % 2
            images = generator.integers(0, 200, (count, 16, 16, 3)) + 40 * labels[:, :, None, None]
            writer.split(split, images.astype(np.uint8), labels)
        writer.array("val_indices.npy", np.arange(0, 37, 5))
        writer.finish("toy", {}, "random", "none", {"shade": ["dark", "light"]}, [0.5] * 3, [0.25] * 3)
    splits = {split: _scenes(directory / split, count, generator) for split, count in (("train", 9), ("test", 5))}
    prepare("scenes", CocoData(kind="coco", **splits), directory / "scenes")


def _scenes(folder: Path, count: int, generator: np.random.Generator) -> dict[str, str]:
    """Grey images, each with a bright square or two; some wide, so that others are padded for them."""
    folder.mkdir()
    coco: dict = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "box"}]}
    for number in range(count):
        width, height = (52, 104)[number % 3 == 0], int(generator.integers(52, 60))
        pixels = generator.integers(0, 120, (height, width, 3), dtype=np.uint8)
        for place in range(1 + number % 2):
            left, top, side = 4 + 16 * place, 6, int(generator.integers(8, 14))
            pixels[top : top + side, left : left + side] = 250
            corners = [left, top, left + side, top, left + side, top + side, left, top + side]
            region = {"bbox": [left, top, side, side], "segmentation": [corners], "area": side**2, "iscrowd": 0}
            key = len(coco["annotations"]) + 1
            coco["annotations"].append({"id": key, "image_id": number, "category_id": 1, **region})
        Image.fromarray(pixels).save(folder / f"{number}.png")
        coco["images"].append({"id": number, "file_name": f"{number}.png", "width": width, "height": height})
    (folder / "coco.json").write_text(json.dumps(coco))
    return {"images": str(folder), "annotations": str(folder / "coco.json")}


def train(case: str, data: Path, output: Path, world: World = ALONE) -> None:
    """Leave the checkpoints of a case's training in `output`, and what was measured."""
    spec, task = CASES[case]
    prepared = open_prepared(data / task)
    inputs = EncoderInputs(case, data / "encoder.safetensors", prepared, ORIGIN, 3, output / "kept", world=world)
    measured = spec.evaluate(inputs)
    assert (measured is None) == (not world.leads)
    if world.leads:
        found = {"metrics": measured.metrics, "counts": measured.counts, "predictions": measured.predictions}
        (output / "measured.json").write_text(json.dumps(found))


def stop_and_go_on(case: str, data: Path, output: Path, world: World) -> None:
    """The same, but the last process gets a signal; what was saved then is kept as `stopped.pt`."""
    of_all = training.stop_requests
    training.stop_requests = lambda: _hit(of_all, world.rank == world.size - 1)
    try:
        train(case, data, output, world)
    except StoppedBySignalError:
        if world.leads:
            (saved,) = (output / "kept").rglob("step*.pt")
            (output / "stopped.pt").write_bytes(saved.read_bytes())
        distributed.barrier()  # the others stop before it has saved
    finally:
        training.stop_requests = of_all
    train(case, data, output, world)


@contextmanager
def _hit(stop_requests: Callable[[], Stop], this_one: bool) -> Iterator[Callable[[], bool]]:
    steps = iter(range(10**6))
    with stop_requests() as stop:

        def read() -> bool:
            if next(steps) == STOP_AT and this_one:
                os.kill(os.getpid(), signal.SIGUSR2)
            return stop()

        yield read


def main(data: Path, output: Path) -> None:
    torch.set_num_threads(1)
    with join(torch.device("cpu")) as world:
        for case in CASES:
            (output / case).mkdir(exist_ok=True)
            train(case, data, output / case, world)
        for case in STOPPED:
            (output / "stopped" / case).mkdir(parents=True, exist_ok=True)
            stop_and_go_on(case, data, output / "stopped" / case, world)
        features.join = lambda _device: _same(world)  # a process joins once
        extract_features(data / "encoder.safetensors", data / "toy", output / "features.npz", batch_size=5)


@contextmanager
def _same(world: World) -> Iterator[World]:
    yield world


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
