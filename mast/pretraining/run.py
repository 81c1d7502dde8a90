"""One pretraining run, from prepared data to its four files."""

import json
import time
from pathlib import Path

import torch

from mast.checkpoint import Checkpoints
from mast.config import PretrainSpec
from mast.data.prepared.batches import TrainingBatches
from mast.data.prepared.store import PreparedData, open_prepared
from mast.distributed import World, join, local_device
from mast.errors import MastError
from mast.files import sha256_file, sha256_json, write_sealed_json
from mast.models.encoder import save_encoder, save_weights
from mast.pretraining.collapse import health
from mast.pretraining.learners import Learner, Mast, Supervised, Untrained, Vicreg
from mast.pretraining.loop import train
from mast.pretraining.metrics_log import Curves
from mast.pretraining.provenance import provenance

RECORDED = ("encoder.safetensors", "heads.safetensors", "metrics.jsonl")
"""Files of a run whose hashes run.json holds."""


def pretrain(spec: PretrainSpec, run: str, seed: int, data: Path, output: Path, device: str, threads: int) -> None:
    """Pretrain an encoder and write encoder, heads, metrics.jsonl and run.json (docs/design.md) to `output`.

    The same arguments give the same encoder.safetensors, byte for byte, on one CPU. An interrupted run goes on from
    its last checkpoint. Under torchrun, or the submitit plugin's launcher, all processes train together.

    Args:
        spec: resolved settings.
        run: the run's name.
        seed: initial weights, order of images, augmentations; < 2³¹.
        data: directory of the prepared data set.
        output: directory of the run's files.
        device: `cpu`, `cuda`, `cuda:1`, …
        threads: recorded in run.json; set for the process by the caller.

    Raises:
        MastError: the data do not fit the run, or training diverged.
        StoppedBySignalError: a signal stopped the run; its checkpoint is saved.
    """
    target = torch.device(local_device(device))
    with join(target) as world:
        _pretrain(spec.resolved(), run, seed, data, output, target, threads, world)


def _pretrain(
    spec: PretrainSpec, run: str, seed: int, data: Path, output: Path, target: torch.device, threads: int, world: World
) -> None:
    started = time.monotonic()
    prepared = open_prepared(data)
    torch.manual_seed(seed)
    learner = build_learner(spec, prepared).to(target, memory_format=torch.channels_last)
    identity = {"spec": sha256_json(spec.model_dump(mode="json")), "data": prepared.sha256, "seed": seed}
    checkpoints = Checkpoints(output / "checkpoints", identity)
    curves = Curves(output / "metrics.jsonl")
    if spec.method != "untrained":
        train(learner, _batches(spec, prepared, seed, target), spec, seed, target, checkpoints, curves, world)
    elif world.leads:
        curves.restart([])
    if not world.leads:
        return
    shared = {"run": run, "dataset": spec.dataset, "seed": str(seed)}
    metadata = {
        **shared,
        "encoder": spec.encoder.model_dump_json(),
        "mean": json.dumps(prepared.mean),
        "std": json.dumps(prepared.std),
        "spec_sha256": identity["spec"],
        "data_sha256": prepared.sha256,
    }
    heads_metadata = {"format": "mast-heads-1", **shared, **learner.heads_metadata()}
    save_weights(output / "heads.safetensors", learner.heads(), heads_metadata)
    save_encoder(output / "encoder.safetensors", learner.encoder, metadata)
    write_sealed_json(
        output / "run.json",
        {
            **shared,
            "seed": seed,
            "spec": spec.model_dump(mode="json", exclude_none=True),
            "spec_sha256": identity["spec"],
            "data_sha256": prepared.sha256,
            "files": {name: sha256_file(output / name) for name in RECORDED},
            "health": health(curves.records),
            "wall_seconds": round(time.monotonic() - started, 1),
            **provenance(target, threads),
            "processes": world.size,
        },
    )
    checkpoints.clear()


def build_learner(spec: PretrainSpec, prepared: PreparedData) -> Learner:
    """The model of a run's method for a data set.

    Raises:
        MastError: a supervised run on data without labels, or a channel that has one value in all training images.
    """
    for channel, std in zip(("red", "green", "blue"), prepared.std, strict=True):
        if std == 0:
            raise MastError(
                f"{prepared.path}: {channel} has one value in all training images of {prepared.name!r} and cannot be "
                "normalised; prepare images that differ in it"
            )
    image_size = prepared.images("train").shape[1]
    arguments = (spec, image_size, prepared.mean, prepared.std)
    if spec.method == "supervised":
        if prepared.labels("train") is None:
            raise MastError(f"runs: a supervised run needs labels, and data set {prepared.name!r} has none")
        return Supervised(*arguments, [len(classes) for classes in prepared.targets.values()])
    return {"untrained": Untrained, "vicreg": Vicreg, "mast": Mast}[spec.method](*arguments)


def _batches(spec: PretrainSpec, prepared: PreparedData, seed: int, device: torch.device) -> TrainingBatches:
    labels = prepared.labels("train") if spec.method == "supervised" else None
    pin_memory = device.type == "cuda"
    return TrainingBatches(prepared.images("train"), labels, spec.batch_size, seed, pin_memory)
