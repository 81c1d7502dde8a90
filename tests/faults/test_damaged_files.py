"""A file that is cut off or has a flipped bit is reported, or its content is unaffected."""

import json
import random
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from support.victims import DETECTION, PRETRAIN

from mast.analysis.run import analyze
from mast.checkpoint import Checkpoints
from mast.cli import main
from mast.config.pretrain import PretrainSpec
from mast.data.prepare import prepare
from mast.data.prepared.store import open_prepared
from mast.data.readers.shapes import ShapesData
from mast.data.readers.shapes_scenes import ScenesData
from mast.errors import MastError
from mast.evaluation.features import extract_features
from mast.evaluation.features_file import read_features
from mast.evaluation.run import evaluate_encoder, evaluate_features
from mast.files import read_sealed_json
from mast.models.encoder_file import read_weights
from mast.pretraining.run import pretrain
from mast.protocols.detection import DetectionProtocol
from mast.protocols.knn import KnnProtocol
from mast.reporting.figures.certainty import _read as read_extremes
from mast.reporting.figures.detections import _predictions as read_predictions
from mast.reporting.figures.views import _read as read_pairs
from mast.reporting.read import read_metrics_log, read_table
from mast.reporting.tables.collect import collect

pytestmark = pytest.mark.xdist_group("faults in files")

Fault = Callable[[str], AbstractContextManager[None]]

FLIPS = 40
"""Bits that are flipped, one at a time, in each kind of file; as many places are tried at which it is cut off."""

RUN = "pretrain/shapes/mast/seed0"
ANALYSIS = "analysis/shapes/mast/seed0"
METRICS = "metrics/knn/shapes/shapes/mast/seed0.json"
DETECTIONS = "metrics/detection/scenes/shapes/mast/seed0.json"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results directory with every kind of file."""
    results = tmp_path_factory.mktemp("results")
    prepare("shapes", ShapesData(kind="shapes", train=48, test=16, size=16), results / "data/shapes")
    prepare("scenes", ScenesData(kind="shapes-scenes", train=4, test=2, size=48), results / "data/scenes")
    spec = PretrainSpec.model_validate(PRETRAIN | {"method": "mast", "epochs": 1, "checkpoint_minutes": 10})
    pretrain(spec, "mast", 0, results / "data/shapes", results / RUN, "cpu", 1)
    encoder, features = results / RUN / "encoder.safetensors", results / "features/shapes/mast/seed0/shapes.npz"
    extract_features(encoder, results / "data/shapes", features)
    evaluate_features("knn", KnnProtocol(kind="knn", k=3), features, results / METRICS)
    detection = DetectionProtocol.model_validate(DETECTION | {"epochs": 1})
    evaluate_encoder("detection", detection, encoder, results / "data/scenes", results / DETECTIONS, 0)
    analyze(results / RUN, results / "data/shapes", results / ANALYSIS)
    for step in (1, 2):
        state = {"weights": torch.arange(100.0) * step, "records": []}
        Checkpoints(results / "checkpoints", {"seed": 0}).save(step, state)
    return results


def arrays(path: Path) -> list[np.ndarray]:
    data = open_prepared(path.parent)
    return [np.array(data.images("train")), data.labels("train"), data.val_indices]


def manifest(path: Path) -> object:
    return open_prepared(path.parent).manifest


def annotations(path: Path) -> object:
    return open_prepared(path.parent).annotations("test")


def checkpoint(path: Path) -> object:
    return Checkpoints(path.parent, {"seed": 0}).load(torch.device("cpu"))


READERS: dict[str, Callable[[Path], object]] = {
    "data/shapes/train_images.npy": arrays,
    "data/shapes/train_labels.npy": arrays,
    "data/shapes/val_indices.npy": arrays,
    "data/shapes/manifest.json": manifest,
    "data/scenes/test_annotations.json": annotations,
    f"{RUN}/encoder.safetensors": read_weights,
    f"{RUN}/heads.safetensors": read_weights,
    f"{RUN}/run.json": read_sealed_json,
    f"{RUN}/metrics.jsonl": read_metrics_log,
    "features/shapes/mast/seed0/shapes.npz": read_features,
    METRICS: lambda path: collect([path]),
    DETECTIONS.replace(".json", ".predictions.json"): read_predictions,
    f"{ANALYSIS}/masks.csv": lambda path: read_table(path, ["dimension"]),
    f"{ANALYSIS}/extremes.npz": read_extremes,
    f"{ANALYSIS}/pairs.npz": read_pairs,
}
"""Each kind of file, and what reads it in the program."""


def content(value: object) -> str:
    """A text in which any two different contents differ."""
    with np.printoptions(threshold=10**9), np.errstate(all="ignore"):
        torch.set_printoptions(threshold=10**9, precision=9)
        if hasattr(value, "to_json"):
            return value.to_json(double_precision=15)
        return repr(value)


def damages(whole: bytes, seed: str) -> list[bytes]:
    generator = random.Random(seed)
    damaged = [whole[: generator.randrange(len(whole))] for _ in range(FLIPS // 4)]
    for _ in range(FLIPS):
        place = generator.randrange(len(whole))
        damaged.append(whole[:place] + bytes([whole[place] ^ 1 << generator.randrange(8)]) + whole[place + 1 :])
    return damaged


@pytest.mark.parametrize("file", READERS)
def test_no_damage_changes_a_number(file: str, whole: Path, tmp_path: Path, fault: Fault) -> None:
    """Either one line names the file and the command that makes it again, or what is read is what was written."""
    read = READERS[file]
    results = shutil.copytree(whole, tmp_path / "results")
    expected, named = content(read(results / file)), 0
    for damaged in damages((whole / file).read_bytes(), file):
        (results / file).write_bytes(damaged)
        with fault(f"damaged file: {Path(file).name}"):
            try:
                assert content(read(results / file)) == expected
            except MastError as error:
                named += 1
                message = str(error)
                assert "\n" not in message
                assert Path(file).name in message
                assert "again" in message or "snakemake" in message or "rerun" in message, message
    assert named > FLIPS // 2


def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    whole: Path, tmp_path: Path, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    folder = shutil.copytree(whole / "checkpoints", tmp_path / "checkpoints")
    newest, (first, second) = folder / "step000000002.pt", (torch.arange(100.0), torch.arange(100.0) * 2)
    for damaged in damages((whole / "checkpoints" / newest.name).read_bytes(), "checkpoint"):
        newest.write_bytes(damaged)
        caplog.clear()
        with fault("damaged file: checkpoint"):
            state = checkpoint(newest)
            assert torch.equal(state["weights"], {1: first, 2: second}[state["step"]])
            assert state["step"] == 2 or f"{newest}: damaged" in caplog.text


def test_what_nothing_reads_is_found_by_verify(
    whole: Path,
    tmp_path: Path,
    fault: Callable[[str], AbstractContextManager[None]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    results = shutil.copytree(whole, tmp_path / "results")
    shutil.rmtree(results / "checkpoints")
    assert main(["verify", str(results)]) == 0, capsys.readouterr().out
    for file in (file for file in whole.rglob("*") if file.is_file() and "checkpoints" not in file.parts):
        bytes_of_file, own = file.read_bytes(), results / file.relative_to(whole)
        middle = len(bytes_of_file) // 2
        changed = bytes_of_file[:middle] + bytes([bytes_of_file[middle] ^ 4]) + bytes_of_file[middle + 1 :]
        own.write_bytes(changed)
        if own.suffix == ".json" and _same_json(bytes_of_file, changed):
            continue
        with fault("mast verify: one bit in a file"):
            assert main(["verify", str(results)]) == 1, own
            assert str(own) in capsys.readouterr().out or own.name == "manifest.json"
        own.write_bytes(bytes_of_file)


def _same_json(first: bytes, second: bytes) -> bool:
    try:
        return json.loads(first) == json.loads(second)
    except ValueError:
        return False
