"""Checks of a whole configuration that read files. They are made when the workflow is planned, before anything runs."""

import importlib.util
from collections.abc import Collection

from mast.config.experiment import Experiment
from mast.config.pretrain import PretrainSpec
from mast.config.published import check_published, published_file, read_published
from mast.errors import MastError
from mast.methods import METHODS
from mast.preflight.doubts import doubts
from mast.preflight.encoders import check_encoders
from mast.preflight.known import Known, known_datasets
from mast.preflight.protocols import check_protocols


def check_experiment(experiment: Experiment, due: Collection[str] = (), anywhere: bool = False) -> list[str]:
    """Check encoders, data, batch sizes, the data that methods and protocols need, and published values.

    No image is decoded.

    Args:
        experiment: the configuration.
        due: datasets that are prepared, and will be prepared again.
        anywhere: whether the configuration may be meant for another machine; missing data are then no error.

    Returns:
        A line for each setting without its stated effect (`mast.preflight.doubts`).

    Raises:
        MastError: `datasets.<name>: …`, `runs.<name>: …`, `protocols.<name>…: …`, `studies.<name>…: …`, or the file of
            published values, for the first problem found.
    """
    check_encoders(experiment)
    datasets = known_datasets(experiment, due, anywhere)
    counts = {name: _count_train(experiment, known) for name, known in datasets.items()}
    for name, run in experiment.runs.items():
        count, spec = counts[run.dataset], experiment.pretrain_spec(name)
        if count is not None and spec.batch_size is not None and spec.batch_size > count:
            raise MastError(
                f"runs.{name}: batch_size: {spec.batch_size} is more than the {count} training images of "
                f"{run.dataset!r}; set batch_size to {count} or less, or give more images"
            )
        if channel := datasets[run.dataset].flat_channel:
            raise MastError(
                f"runs.{name}.dataset: {channel} has one value in all training images of {run.dataset!r} and cannot be "
                "normalised; prepare images that differ in it"
            )
        if METHODS[run.method].NEEDS_LABELS:
            _check_labels(name, run.method, datasets[run.dataset])
        _check_shares(name, spec, experiment)
        _check_memory(name, spec, experiment)
    _check_seeds(experiment)
    check_protocols(experiment, datasets)
    if experiment.monitor.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise MastError("monitor.tensorboard: TensorBoard is not installed; pip install tensorboard, or leave it out")
    published = published_file(experiment.published)
    if published is not None:
        check_published(experiment, read_published(published))
    return doubts(experiment, counts)


def _check_shares(name: str, spec: PretrainSpec, experiment: Experiment) -> None:
    """Check that the processes of a training run, one for each GPU of each node, can share its batches."""
    if spec.batch_size is None or spec.accumulate is None:
        return
    parts = spec.accumulate * experiment.resources.pretrain.processes
    if spec.batch_size % parts or spec.batch_size // spec.accumulate < 2:
        raise MastError(
            f"runs.{name}: batch_size: {spec.batch_size} images cannot be shared out over {parts // spec.accumulate} "
            f"processes (resources.pretrain) × accumulate {spec.accumulate}; set a multiple of {parts}, at least "
            f"{2 * spec.accumulate}"
        )


def _check_memory(name: str, spec: PretrainSpec, experiment: Experiment) -> None:
    """Check that two views of a batch, 8 bits per value, fit into a node's memory limit. Training needs far more."""
    side, stage = getattr(experiment.datasets[spec.dataset], "size", None), experiment.resources.pretrain
    if spec.batch_size is None or side is None:
        return
    needed = 2 * spec.batch_size * 3 * side**2 // stage.nodes // 10**6
    if needed > stage.mem_mb:
        raise MastError(
            f"runs.{name}: batch_size: two views of {spec.batch_size} images of {side} × {side} pixels are {needed} MB "
            f"on each node, and resources.pretrain.mem_mb is {stage.mem_mb}; choose fewer or smaller images, or more "
            "memory"
        )


def _check_seeds(experiment: Experiment) -> None:
    """Check that every run of a study has some of the study's seeds."""
    for name, study in experiment.studies.items():
        for run in study.runs:
            own = experiment.run_seeds(run)
            if study.seeds is not None and not set(study.seeds) & set(own):
                raise MastError(
                    f"studies.{name}.seeds: run {run!r} has none of them; choose from {', '.join(map(str, own))}"
                )


def _count_train(experiment: Experiment, known: Known) -> int | None:
    """Return the number of training images; None if not known before preparing. Data to prepare are checked."""
    try:
        known.check(evaluated=any(known.name in study.tasks for study in experiment.studies.values()))
        return known.count
    except (MastError, OSError) as error:
        raise MastError(f"datasets.{known.name}: {error}") from None


def _check_labels(name: str, method: str, known: Known) -> None:
    if known.labelled is False or known.labels is not None:
        try:
            METHODS[method].check_labels(known.name, None if known.labels is None else known.labels.train)
        except MastError as error:
            raise MastError(f"runs.{name}: {error}") from None
