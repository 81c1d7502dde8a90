"""Checks of a whole configuration that look at files, made when the workflow is planned: before anything runs."""

import importlib.util
from pathlib import Path

from mast.config.experiment import Experiment
from mast.config.pretrain import PretrainSpec
from mast.config.published import read_published
from mast.errors import MastError
from mast.preflight.doubts import doubts
from mast.preflight.protocols import check_protocols
from mast.records import Manifest
from mast.results import Results
from mast.settings import nearest


def check_experiment(experiment: Experiment) -> list[str]:
    """Check encoders, data, batch sizes, what protocols ask of their tasks, and published values.

    All as far as this needs no image to be decoded.

    Returns:
        What can be done, but not as it is written (`mast.preflight.doubts`): a line each.

    Raises:
        MastError: `datasets.<name>: …`, `runs.<name>: …`, `protocols.<name>…: …`, `studies.<name>: …`, or the file of
            published values, for the first that cannot work.
    """
    _check_timm_names(experiment)
    counts = {name: _count_train(experiment, name) for name in experiment.datasets}
    for name, run in experiment.runs.items():
        count, spec = counts[run.dataset], experiment.pretrain_spec(name)
        if count is not None and spec.batch_size is not None and spec.batch_size > count:
            raise MastError(
                f"runs.{name}: batch_size: {spec.batch_size} is more than the {count} training images of "
                f"{run.dataset!r}; set batch_size to {count} or less, or give more images"
            )
        _check_shares(name, spec, experiment)
    _check_seeds(experiment)
    check_protocols(experiment, counts)
    if experiment.monitor.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise MastError("monitor.tensorboard: TensorBoard is not installed; pip install tensorboard, or leave it out")
    published = Path(experiment.published)
    if published.exists() or "published" in experiment.model_fields_set:  # without one, tables alone cannot be made
        read_published(published)
    return doubts(experiment, counts)


def _check_shares(name: str, spec: PretrainSpec, experiment: Experiment) -> None:
    """The processes of a training, one for each GPU of each node, share its batches."""
    if spec.batch_size is None or spec.accumulate is None:
        return
    need = experiment.resources.pretrain
    parts = spec.accumulate * need.nodes * max(need.gpus, 1)
    if spec.batch_size % parts or spec.batch_size // spec.accumulate < 2:
        raise MastError(
            f"runs.{name}: batch_size: {spec.batch_size} images cannot be shared out over {parts // spec.accumulate} "
            f"processes (resources.pretrain) × accumulate {spec.accumulate}; set a multiple of {parts}, at least "
            f"{2 * spec.accumulate}"
        )


def _check_seeds(experiment: Experiment) -> None:
    """Every run of a study has some of the study's seeds."""
    for name, study in experiment.studies.items():
        for run in study.runs:
            own = experiment.run_seeds(run)
            if study.seeds is not None and not set(study.seeds) & set(own):
                raise MastError(
                    f"studies.{name}.seeds: run {run!r} has none of them; choose from {', '.join(map(str, own))}"
                )


def _count_train(experiment: Experiment, name: str) -> int | None:
    """Number of training images; None where only preparing the data tells. Data not prepared yet are checked."""
    spec = experiment.datasets[name]
    manifest = Results(experiment.results).data(name).manifest
    if manifest.exists():
        prepared = Manifest.read(manifest)
        if prepared.spec == spec.model_dump(mode="json"):
            return prepared.splits["train"]["count"]
    try:
        spec.check(evaluated=any(name in study.tasks for study in experiment.studies.values()))
        return spec.train_count
    except (MastError, OSError) as error:
        raise MastError(f"datasets.{name}: {error}") from None


def _check_timm_names(experiment: Experiment) -> None:
    encoders = {run: spec.encoder.name for run, spec in experiment.runs.items()}
    named = {run: name.removeprefix("timm/") for run, name in encoders.items() if name.startswith("timm/")}
    if not named:
        return
    import timm  # slow to import, and seldom used

    for run, name in named.items():
        if not timm.is_model(name):
            raise MastError(
                f"runs.{run}: encoder.name: timm has no model {name!r}; {nearest(name, timm.list_models())}"
            )
