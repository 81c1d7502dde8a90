"""One pretraining run, from prepared data to its four files."""

import time
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from mast.analysis.pairs import sample_pairs
from mast.checkpoint import Checkpoints
from mast.config.monitor import MonitorSpec
from mast.config.pretrain import PretrainSpec
from mast.data.prepared.batches import TrainingBatches
from mast.data.prepared.store import PreparedData, open_prepared
from mast.distributed import ALONE, World, join, local_device
from mast.errors import MastError
from mast.files import sha256_file
from mast.learner import Learner
from mast.memory import memory_for
from mast.methods import METHODS
from mast.models.encoder_file import save_encoder, save_weights
from mast.pretraining.collapse import health
from mast.pretraining.metrics_log import Follower, MetricsLog
from mast.pretraining.monitor import Monitor
from mast.pretraining.provenance import provenance
from mast.pretraining.trainee import Pretraining
from mast.records import EncoderMetadata, HeadsMetadata, RunRecord
from mast.results import RunFiles
from mast.training import train

NOTHING = MonitorSpec()


def pretrain(
    spec: PretrainSpec,
    run: str,
    seed: int,
    data: Path,
    output: Path,
    device: str,
    threads: int,
    monitor: MonitorSpec = NOTHING,
) -> None:
    """Pretrain an encoder and write encoder, heads, metrics log and record (docs/use/formats.md) to `output`.

    The same arguments give the same encoder.safetensors, byte for byte, on the same model of CPU with the same packages
    and the same number of processes. An interrupted run resumes from its last checkpoint. Under torchrun, or the
    submitit plugin's launcher, all processes train together.

    Args:
        spec: resolved settings.
        run: the run's name.
        seed: seed of initial weights, order of images and augmentations; < 2³¹.
        data: directory of the prepared dataset.
        output: directory of the run's files.
        device: `cpu`, `cuda`, `cuda:1`, …
        threads: number of threads, recorded in run.json; the caller has set it for the process.
        monitor: settings of measurements during training.

    Raises:
        MastError: the data do not fit the run, or training diverged.
        StoppedBySignalError: a signal stopped the run; its checkpoint is saved.
    """
    started = time.monotonic()
    pace, spec = spec.checkpoint_minutes, spec.resolved().without_pace()
    files, target = RunFiles(Path(output)), torch.device(local_device(device))
    spec_sha256 = spec.sha256()
    with join(target) as world:
        prepared = open_prepared(data)
        torch.manual_seed(seed)
        with _enough_memory(spec):
            learner = build_learner(spec, prepared, target, world)
        identity = {"spec": spec_sha256, "data": prepared.sha256, "seed": seed}
        checkpoints = Checkpoints(files.checkpoints, identity)
        log = MetricsLog(files.log, _events(files, learner, prepared) if monitor.tensorboard and world.leads else None)
        if learner.method.READS:
            batches = _batches(learner, prepared, seed)
            looked_at = monitor.epochs and world.leads
            looks = Monitor(monitor, prepared, learner, batches.steps_per_epoch) if looked_at else None
            training = Pretraining(learner, batches, seed, checkpoints, log, looks)
            title = f"pretrain {spec.method}"
            with _enough_memory(spec):
                train(training, title, training.steps, spec.batch_size, checkpoints, world, pace)
        elif world.leads:
            log.restart([])
        if not world.leads:
            return
    shared = {"run": run, "dataset": spec.dataset, "seed": seed}
    made_from = {"spec_sha256": spec_sha256, "data_sha256": prepared.sha256}
    _save(files, learner, prepared, shared, made_from)
    RunRecord(
        **shared,
        spec=spec.model_dump(mode="json", exclude_none=True),
        **made_from,
        files={file.name: sha256_file(file) for file in (files.encoder, files.heads, files.log)},
        health=health(log.records),
        wall_seconds=round(time.monotonic() - started, 1),
        **provenance(target, threads),
        processes=world.size,
    ).write(files.record)
    checkpoints.clear()


def build_learner(
    spec: PretrainSpec, prepared: PreparedData, device: torch.device | str = "cpu", world: World = ALONE
) -> Learner:
    """Build the model of a run for a dataset, on its device.

    Raises:
        MastError: a method needs labels and the data have none, or a channel has one value in all training images.
    """
    for channel, std in zip(("red", "green", "blue"), prepared.std, strict=True):
        if std == 0:
            raise MastError(
                f"{prepared.path}: {channel} has one value in all training images of {prepared.name!r} and cannot be "
                "normalised; prepare images that differ in it"
            )
    method = METHODS[spec.method](spec)
    if method.NEEDS_LABELS and prepared.labels("train") is None:
        raise MastError(f"runs: a {spec.method} run needs labels, and dataset {prepared.name!r} has none")
    classes = [len(names) for names in prepared.targets.values()]
    image_size = prepared.images("train").shape[1]
    learner = Learner(method, image_size, prepared.mean, prepared.std, classes, world)
    learner.to(device, memory_format=torch.channels_last)
    world.prepare(learner)
    return learner


def _enough_memory(spec: PretrainSpec) -> AbstractContextManager[None]:
    size = f"batch_size: {spec.batch_size} images in {spec.accumulate} part(s), precision {spec.precision}"
    return memory_for(size, "choose fewer images, more parts (accumulate), or precision: bf16")


def _events(files: RunFiles, learner: Learner, prepared: PreparedData) -> Follower | None:
    """Return TensorBoard's event files of a run that is trained."""
    if not learner.method.READS:
        return None
    try:
        from mast.pretraining.events import EventFiles
    except ImportError:
        raise MastError("monitor.tensorboard: TensorBoard is not installed; pip install tensorboard") from None
    return EventFiles(files.events, learner, sample_pairs(learner.spec, prepared))


def _batches(learner: Learner, prepared: PreparedData, seed: int) -> TrainingBatches:
    labels = prepared.labels("train") if learner.method.NEEDS_LABELS else None
    spec, pin_memory = learner.spec, learner.mean.device.type == "cuda"
    keep, parts = spec.last_batch == "kept", spec.accumulate * learner.world.size
    batch = (spec.batch_size, seed, keep, parts, pin_memory)
    return TrainingBatches(prepared.images("train"), labels, *batch)


def _save(
    files: RunFiles, learner: Learner, prepared: PreparedData, shared: dict[str, object], made_from: dict[str, str]
) -> None:
    """Write the encoder and the other trained networks."""
    method, policy = learner.method, learner.policy
    heads = HeadsMetadata(**shared, augmentations=policy.names if policy else [], **method.stored_settings())
    save_weights(files.heads, method.stored(learner), heads.strings())
    normalisation = {"mean": prepared.mean, "std": prepared.std}
    encoder = EncoderMetadata(**shared, encoder=learner.spec.encoder.model_dump_json(), **normalisation, **made_from)
    save_encoder(files.encoder, learner.encoder, encoder.strings())
