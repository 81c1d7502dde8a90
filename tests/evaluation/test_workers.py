"""An image that cannot be read, a killed worker and Ctrl-C end an evaluation in one line, and leave no process."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mast.cli import main
from mast.data.prepare import prepare
from mast.data.prepared.store import open_prepared
from mast.data.readers.coco import CocoData
from mast.data.readers.shapes_scenes import ScenesData
from mast.evaluation import detection_images
from mast.models.encoder import build_encoder
from mast.models.encoder_file import save_encoder
from mast.models.settings import EncoderSpec

ENCODER = EncoderSpec(name="resnet-narrow", stem="small", widths=(8, 8, 8, 8))
SPEC = {
    **{"kind": "detection", "epochs": 1, "batch_size": 2, "optimizer": "adamw", "lr": 1e-3, "warmup_steps": 0},
    **{"fpn_channels": 8, "head_channels": 8, "min_size": 48, "max_size": 48, "anchor_sizes": [8, 12, 16, 24, 32]},
    **{"proposals": 10, "rois": 8},
}


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """`mast evaluate` with two threads, so with one worker, on scenes whose images stay in place."""
    prepare("scenes", ScenesData(kind="shapes-scenes", train=12, test=3, size=48, max_objects=2), tmp_path / "scenes")
    scenes, splits = open_prepared(tmp_path / "scenes"), {}
    for split in ("train", "test"):
        coco = scenes.annotations(split)
        (tmp_path / split).mkdir()
        for image in coco["images"]:
            image["file_name"] = f"{image['id']}.png"
            pixels = np.array(scenes.images(split)[image["id"]])
            Image.fromarray(pixels).save(tmp_path / split / image["file_name"])
        (tmp_path / f"{split}.json").write_text(json.dumps(coco))
        splits[split] = {"images": str(tmp_path / split), "annotations": str(tmp_path / f"{split}.json")}
    prepare("own", CocoData(kind="coco", **splits), tmp_path / "own")
    metadata = {"run": "r", "dataset": "d", "seed": "0", "encoder": ENCODER.model_dump_json()}
    metadata |= {"mean": "[0.5, 0.5, 0.5]", "std": "[0.2, 0.2, 0.2]"}
    metadata |= {"spec_sha256": "1" * 64, "data_sha256": "2" * 64}
    save_encoder(tmp_path / "encoder.safetensors", build_encoder(ENCODER), metadata)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    paths = {"encoder": "encoder.safetensors", "data": "own", "output": "result.json"}
    options = [word for name, file in paths.items() for word in (f"--{name}", str(tmp_path / file))]
    return lambda: main(["evaluate", "--protocol", "boxes", "--spec", json.dumps(SPEC), "--gpus", "0", *options])


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The error that was printed, below what shows the progress."""
    lines = [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if line]
    errors = [line for line in lines if not line.startswith(("train detector", "detect"))]
    assert len(errors) == 1, errors
    assert multiprocessing.active_children() == []
    return errors[0]


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_image_damaged_after_preparing_is_named(
    split: str, evaluate: Callable[[], int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / split / "1.png"
    image.write_bytes(image.read_bytes()[:100])
    assert evaluate() == 2
    line = one_line(capsys)
    assert line.startswith(f"mast: error: {image}: cannot be read as an image (")
    assert line.endswith("); put the file back as it was, or prepare the data again")
    assert not (tmp_path / "result.json").exists()


def in_workers(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], name: str) -> None:
    """Let a worker do something before it decodes the image of this name."""
    decode = detection_images.decode_again

    def other(path: Path, *settings: object) -> Image.Image:
        if multiprocessing.parent_process() is not None and path.match(name):
            act()
        return decode(path, *settings)

    monkeypatch.setattr(detection_images, "decode_again", other)


@pytest.mark.parametrize("name", ["train/0.png", "test/0.png"])
def test_a_killed_worker_is_named(
    name: str,
    evaluate: Callable[[], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The worker ends as when the kernel kills it because memory ran out."""
    in_workers(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGKILL), name)
    assert evaluate() == 2
    expected = f"mast: error: {tmp_path / 'own'}: a process that read its images was killed, as happens when memory "
    assert one_line(capsys).startswith(expected)


def no_memory() -> None:
    raise MemoryError


def test_memory_that_a_worker_does_not_get_is_named(
    evaluate: Callable[[], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    in_workers(monkeypatch, no_memory, "test/0.png")
    assert evaluate() == 2
    line = one_line(capsys)
    assert line.startswith("mast: error: protocols.boxes.batch_size: 2 images in fp32: does not fit into memory")
    assert line.endswith("; choose fewer, or give the job more")


@pytest.mark.parametrize(
    ("name", "number", "status"), [("test/0.png", signal.SIGINT, 130), ("train/0.png", signal.SIGTERM, 75)]
)
def test_a_stopped_evaluation_leaves_no_worker(
    name: str,
    number: signal.Signals,
    status: int,
    evaluate: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ctrl-C goes to all processes of a terminal; a batch system's signal too."""
    group = [os.getpid()]

    def signal_all() -> None:
        for process in (*group, os.getpid()):
            os.kill(process, number)

    in_workers(monkeypatch, signal_all, name)
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        assert evaluate() == status
    finally:
        signal.signal(signal.SIGINT, inherited)
    assert "again" in one_line(capsys)
