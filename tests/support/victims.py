"""Trainings in processes of their own, to be killed at a step."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
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
KINDS = ("pretrain", "semi", "linear-sgd", "detection", "detection in place")
STEPS = {"pretrain": 9, "semi": 3, "linear-sgd": 9, "detection": 9, "detection in place": 9}
"""Of each training on the data of `prepare_all`; of `semi` for each of its six targets."""

EXIT_STOPPED = 7

_context = multiprocessing.get_context("forkserver")  # a child has torch in a moment, and no threads of pytest's
_context.set_forkserver_preload(["mast.pretraining.run", "mast.protocols.linear_sgd", "mast.protocols.detection"])


def train(kind: str, inputs: Path, output: Path, signal_at: tuple[int, int] | None = None, minutes: float = 0) -> int:
    """Train in a child, which gets a signal (number, step) before one of its steps; its exit code.

    A checkpoint is saved every `minutes`.
    """
    child = _context.Process(target=_train, args=(kind, inputs, output, signal_at, minutes))
    child.start()
    child.join(120)
    return child.exitcode


def prepare_all(inputs: Path) -> None:
    """Data sets and an encoder for every kind of training."""
    child = _context.Process(target=_prepare_all, args=(inputs,))
    child.start()
    child.join(120)
    assert child.exitcode == 0


def _prepare_all(inputs: Path) -> None:
    import numpy as np
    from PIL import Image

    from mast.config import CocoData, ScenesData, ShapesData
    from mast.data.prepare import prepare
    from mast.data.prepared.store import open_prepared
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
    _run("pretrain", inputs, inputs / "encoder")


def _train(kind: str, inputs: Path, output: Path, signal_at: tuple[int, int] | None, minutes: float) -> None:
    import torch

    from mast import checkpoint
    from mast.signals import StoppedBySignalError

    torch.set_num_threads(1)
    multiprocessing.set_start_method("fork", force=True)  # as in a command: workers notice that this process is gone
    if kind == "detection in place":
        torch.get_num_threads = lambda: 2  # one worker loads images; two threads of torch would wait for each other
    checkpoint.MINUTES = minutes
    if signal_at is not None:
        number, step = signal_at
        checkpoint.Saver.before = _hit(checkpoint.Saver.before, number, step)
    try:
        _run(kind, inputs, output)
    except StoppedBySignalError as error:
        print(error, file=sys.stderr)
        os._exit(EXIT_STOPPED)


def _hit(function: Callable[..., object], number: int, step: int) -> Callable[..., object]:
    """`function`, which is called before each step; the call number `step` (from 0) brings the signal."""
    calls = iter(range(10**6))

    def called(*arguments: object) -> object:
        if next(calls) == step:
            os.kill(os.getpid(), number)
        return function(*arguments)

    return called


def _run(kind: str, inputs: Path, output: Path) -> None:
    from mast.config import DetectionProtocol, LinearSgdProtocol, PretrainSpec, Semi10Protocol
    from mast.pretraining.run import pretrain
    from mast.protocols.detection import evaluate_detection
    from mast.protocols.linear_sgd import evaluate_linear_sgd
    from mast.protocols.semi import evaluate_semi

    encoder, result = inputs / "encoder/encoder.safetensors", output / "result.json"
    match kind:
        case "pretrain":
            spec = PretrainSpec.model_validate(PRETRAIN | {"method": "mast"})
            pretrain(spec, "mast", 0, inputs / "shapes", output, "cpu", 1)
        case "semi":
            evaluate_semi("semi", Semi10Protocol.model_validate(SEMI), encoder, inputs / "shapes", result)
        case "linear-sgd":
            evaluate_linear_sgd("sgd", LinearSgdProtocol.model_validate(SGD), encoder, inputs / "shapes", result)
        case "detection" | "detection in place":
            data = inputs / ("in_place" if kind.endswith("place") else "scenes")
            evaluate_detection("d", DetectionProtocol.model_validate(DETECTION), encoder, data, result, 0)


SIGNALS = {number.name: number for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)}
