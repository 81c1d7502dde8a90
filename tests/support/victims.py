"""Training runs in separate processes, to be killed at a step."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

ENCODER = {"name": "resnet-narrow", "stem": "small", "widths": [8, 6, 8, 10]}
PRETRAIN = {
    "dataset": "shapes",
    "encoder": ENCODER,
    "projector": {"hidden": 12, "output": 8},
    "optimizer": {"name": "adamw", "lr": 0.003, "warmup_epochs": 0.5},
    "epochs": 3,
    "batch_size": 16,
    "log_every": 2,
    "checkpoint_minutes": 1e-9,
}
SEMI = {"kind": "semi-10", "epochs": 3, "batch_size": 4}
SGD = {"kind": "linear-sgd", "epochs": 3, "batch_size": 16, "lr_head": 0.1}
DETECTION = {
    "kind": "detection",
    "epochs": 3,
    "batch_size": 4,
    "masks": True,
    "optimizer": "adamw",
    "lr": 1e-3,
    "warmup_steps": 2,
    "fpn_channels": 8,
    "head_channels": 16,
    "mask_channels": 8,
    "min_size": 48,
    "max_size": 48,
    "anchor_sizes": (8, 12, 16, 24, 32),
    "proposals": 30,
    "rois": 16,
}
OTHER = {
    "pretrain": {"optimizer": {"name": "adamw", "lr": 0.001, "warmup_epochs": 0.5}},
    "semi": {"lr_head": 0.05},
    "linear-sgd": {"lr_head": 0.2},
    "detection": {"lr": 2e-3},
}
"""Settings in which another training of each kind differs."""
KINDS = ("pretrain", "semi", "linear-sgd", "detection", "detection in place")
STEPS = {"pretrain": 9, "semi": 3, "linear-sgd": 9, "detection": 9, "detection in place": 9}
"""Number of steps of each kind of training on the data of `prepare_all`; for `semi`, of each of its six targets."""

EXIT_STOPPED = 7

Stop = AbstractContextManager[Callable[[], bool]]

_context = multiprocessing.get_context("forkserver")  # a child has torch in a moment, and no threads of pytest's
_context.set_forkserver_preload(["mast.pretraining.run", "mast.evaluation.sgd", "mast.evaluation.detection"])


def train(
    kind: str,
    inputs: Path,
    output: Path,
    signal_at: tuple[int, int] | None = None,
    minutes: float = 0,
    changed: dict | None = None,
) -> int:
    """Train in a child, which gets a signal (number, step) before one of its steps; its exit code.

    A checkpoint is saved every `minutes`. Settings may be `changed`.
    """
    child = _context.Process(target=_train, args=(kind, inputs, output, signal_at, minutes, changed or {}))
    child.start()
    child.join(120)
    return child.exitcode


def prepare_all(inputs: Path) -> None:
    """Datasets and an encoder for every kind of training."""
    child = _context.Process(target=_prepare_all, args=(inputs,))
    child.start()
    child.join(120)
    assert child.exitcode == 0


def _prepare_all(inputs: Path) -> None:
    import numpy as np
    from PIL import Image

    from mast.data.prepare import prepare
    from mast.data.prepared.store import open_prepared
    from mast.data.readers.coco import CocoData
    from mast.data.readers.shapes import ShapesData
    from mast.data.readers.shapes_scenes import ScenesData
    from mast.files import write_json

    prepare("shapes", ShapesData(kind="shapes", train=52, test=10, size=16), inputs / "shapes")
    prepare("scenes", ScenesData(kind="shapes-scenes", train=13, test=4, size=48, max_objects=2), inputs / "scenes")
    scenes, splits = open_prepared(inputs / "scenes"), {}
    for split in ("train", "test"):
        coco = scenes.annotations(split)
        (inputs / "images" / split).mkdir(parents=True)
        for image in coco["images"]:
            pixels = np.array(scenes.images(split)[image["id"]])
            image["file_name"] = f"{image['id']}.png"
            Image.fromarray(pixels).save(inputs / "images" / split / image["file_name"])
        write_json(inputs / f"{split}.json", coco)
        splits[split] = {"images": str(inputs / "images" / split), "annotations": str(inputs / f"{split}.json")}
    prepare("in_place", CocoData(kind="coco", **splits), inputs / "in_place")
    _run("pretrain", inputs, inputs / "encoder", {})


def _train(
    kind: str, inputs: Path, output: Path, signal_at: tuple[int, int] | None, minutes: float, changed: dict
) -> None:
    import torch

    from mast import training
    from mast.signals import StoppedBySignalError

    torch.set_num_threads(1)
    multiprocessing.set_start_method("fork", force=True)  # as in a command: workers notice that this process is gone
    if kind == "detection in place":
        torch.get_num_threads = lambda: 2  # one worker loads images; two threads of torch would wait for each other
    training.MINUTES = minutes
    if signal_at is not None:
        training.stop_requests = _hit(training.stop_requests, *signal_at)
    try:
        _run(kind, inputs, output, changed)
    except StoppedBySignalError as error:
        print(error, file=sys.stderr)
        os._exit(EXIT_STOPPED)


def _hit(stop_requests: Callable[[], Stop], number: int, step: int) -> Callable[[], Stop]:
    """The flag of `stop_requests` is read before each step; the reading number `step` (from 0) brings the signal."""
    calls = iter(range(10**6))

    @contextmanager
    def hit() -> Iterator[Callable[[], bool]]:
        with stop_requests() as stop:

            def read() -> bool:
                if next(calls) == step:
                    os.kill(os.getpid(), number)
                return stop()

            yield read

    return hit


def _run(kind: str, inputs: Path, output: Path, changed: dict) -> None:
    from mast.config.pretrain import PretrainSpec
    from mast.evaluation.run import evaluate_encoder
    from mast.pretraining.run import pretrain
    from mast.protocols import PROTOCOLS

    if kind == "pretrain":
        spec = PretrainSpec.model_validate(PRETRAIN | {"method": "mast"} | changed)
        pretrain(spec, "mast", 0, inputs / "shapes", output, "cpu", 1)
        return
    settings, data = {
        "semi": (SEMI, "shapes"),
        "linear-sgd": (SGD, "shapes"),
        "detection": (DETECTION, "scenes"),
        "detection in place": (DETECTION, "in_place"),
    }[kind]
    protocol = PROTOCOLS[settings["kind"]].model_validate(settings | changed)
    evaluate_encoder("mine", protocol, inputs / "encoder/encoder.safetensors", inputs / data, output / "result.json")


SIGNALS = {number.name: number for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)}
