"""Checks of a whole configuration that look at files, made when the workflow is planned: before anything runs."""

import importlib.util
from pathlib import Path

from mast.config.experiment import Experiment
from mast.config.published import read_published
from mast.errors import MastError
from mast.preflight.protocols import check_protocols
from mast.records import Manifest
from mast.results import Results
from mast.settings import nearest


def check_experiment(experiment: Experiment) -> None:
    """Check encoders, data, batch sizes, what protocols ask of their tasks, and published values.

    All as far as this needs no image to be decoded.

    Raises:
        MastError: `datasets.<name>: …`, `runs.<name>: …`, `protocols.<name>…: …`, or the file of published values, for
            the first that cannot work.
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
    check_protocols(experiment, counts)
    if experiment.monitor.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise MastError("monitor.tensorboard: TensorBoard is not installed; pip install tensorboard, or leave it out")
    published = Path(experiment.published)
    if published.exists() or "published" in experiment.model_fields_set:  # without one, tables alone cannot be made
        read_published(published)


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
