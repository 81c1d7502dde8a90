"""The one runner of protocols: it reads, times, checks, seals and writes."""

import math
import time
from pathlib import Path
from typing import Any

from mast.commit import code_version
from mast.data.prepared.store import open_prepared
from mast.errors import MastError
from mast.evaluation.features_file import read_features
from mast.evaluation.inputs import EncoderInputs, FeatureInputs, Measured, Metrics
from mast.files import sha256_file, write_json
from mast.protocols import Protocol
from mast.records import Manifest, MetricsFile, Origin, RunRecord
from mast.results import checkpoints_of, predictions_of

FROM_ORIGIN = MetricsFile.model_fields.keys() & Origin.model_fields.keys() - {"format", "commits"}
"""Keys of a metrics file that are copied from the origin."""


def evaluate_features(
    name: str,
    protocol: Protocol,
    features: Path,
    output: Path,
    record: Path | None = None,
    manifest: Path | None = None,
) -> None:
    """Evaluate features and write one metrics file.

    Args:
        name: name of the protocol in the configuration.
        protocol: settings of the protocol.
        features: path of the features file.
        output: path of the metrics file.
        record: the run's `run.json`, if the features must be those of its encoder; a missing file is passed over.
        manifest: the task's manifest, if the features must be those of its data; a missing file is passed over.

    Raises:
        MastError: the features file is unusable or older than the encoder or the data, or see the protocol; nothing is
            written.
    """
    started = time.perf_counter()
    read = read_features(features, protocol.IGNORES)
    _require_current(features, read.origin, record, manifest)
    if read.pooling != (wanted := protocol.feature_pooling):
        raise MastError(
            f"{features}: holds features of pooling {read.pooling}, but protocols.{name} reads those of {wanted}; "
            f"extract them with mast features --pooling {wanted}"
        )
    measured = protocol.evaluate(FeatureInputs(name, features, read))
    _write(name, protocol, read.origin, measured, output, started)


def evaluate_encoder(
    name: str,
    protocol: Protocol,
    encoder: Path,
    data: Path,
    output: Path,
    seed: int | None = None,
    device: str = "cpu",
) -> None:
    """Evaluate an encoder on images or scenes and write one metrics file; for scenes also the detections.

    Args:
        name: name of the protocol in the configuration.
        protocol: settings of the protocol.
        encoder: path of the encoder file.
        data: directory of the prepared task.
        output: path of the metrics file.
        seed: seed of all random draws; the encoder's seed by default.
        device: device on which the encoder runs. Under torchrun, or the submitit plugin's launcher, all processes
            evaluate together, each on its GPU.

    Raises:
        MastError: the encoder or the data are unusable, the processes cannot share the work, or see the protocol;
            nothing is written.
        StoppedBySignalError: a signal to stop arrived; a checkpoint was written first.
    """
    import torch

    from mast.distributed import join, local_device
    from mast.evaluation.origin import origin_of
    from mast.models.encoder_file import read_weights

    started, checkpoints, task = time.perf_counter(), checkpoints_of(output), open_prepared(data)
    origin = origin_of(encoder, read_weights(encoder)[1], task)
    drawn, device = origin.seed if seed is None else seed, local_device(device)
    with join(torch.device(device)) as world:
        protocol.check_processes(name, world.size)
        inputs = EncoderInputs(name, encoder, task, origin, drawn, checkpoints, device, world=world)
        measured = protocol.evaluate(inputs)
        if not world.leads:
            return
    _write(name, protocol, origin, measured, output, started)
    inputs.clear()


def _require_current(features: Path, origin: Origin, record: Path | None, manifest: Path | None) -> None:
    if record is not None and record.exists() and RunRecord.read(record).encoder_sha256 != origin.encoder_sha256:
        raise MastError(
            f"{features}: features of another encoder than the one in {record} (encoder_sha256); extract them again "
            "with mast features"
        )
    if manifest is not None and manifest.exists() and Manifest.read(manifest).sha256 != origin.task_sha256:
        raise MastError(
            f"{features}: features of other data than {manifest} lists (task_sha256); extract them again with mast "
            "features"
        )


def _write(name: str, protocol: Protocol, origin: Origin, measured: Measured, output: Path, started: float) -> None:
    _check_percentages(measured.metrics, output)
    details: dict[str, Any] = dict(measured.details or {})
    if measured.predictions is not None:
        predictions = predictions_of(output)
        write_json(predictions, measured.predictions)
        details["predictions_sha256"] = sha256_file(predictions)
    if protocol.files:
        details["files"] = {file: sha256_file(Path(file)) for file in protocol.files}
    MetricsFile(
        format=1,
        protocol=name,
        kind=protocol.kind,
        version=protocol.version,
        settings=protocol.recorded,
        metrics=measured.metrics,
        counts=measured.counts,
        chance=_known_chance(measured),
        details=details or None,
        **origin.model_dump(include=FROM_ORIGIN),
        commits=sorted({*origin.commits, code_version()}),
        seconds=round(time.perf_counter() - started, 3),
    ).write(output)


def _known_chance(measured: Measured) -> dict[str, dict[str, float]]:
    """Return the chance levels of the measured metrics."""
    known = {
        target: {metric: level for metric, level in levels.items() if metric in measured.metrics.get(target, {})}
        for target, levels in measured.chance.items()
    }
    return {target: levels for target, levels in known.items() if levels}


def _check_percentages(metrics: Metrics, output: Path) -> None:
    for target, values in metrics.items():
        for metric, value in values.items():
            if value is not None and not (math.isfinite(value) and 0 <= value <= 100):
                raise MastError(f"{output}: {target} {metric} is {value}, not a percentage in [0, 100]")
