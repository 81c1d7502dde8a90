"""Checks that each task has the images that its protocol needs, made when the workflow is planned."""

from collections.abc import Iterator

from mast.config.experiment import Experiment, SharedResources, Study
from mast.data.known_labels import KnownLabels
from mast.errors import MastError
from mast.preflight.known import Known
from mast.protocols import STAGES, PlannedTask, Protocol


def check_protocols(experiment: Experiment, datasets: dict[str, Known]) -> None:
    """Let the protocol of every study check that the study's tasks have what it needs.

    Args:
        experiment: the configuration.
        datasets: what is known about each dataset.

    Raises:
        MastError: `protocols.<name>…` or `studies.<name>…`, for the first that needs more than a task has.
    """
    for study_name, study in experiment.studies.items():
        protocol, metrics = experiment.protocols[study.protocol], study.metrics()
        _check_processes(study.protocol, protocol, experiment)
        _check_summary(study_name, study, [datasets[name].labels for name in study.tasks if protocol.AVERAGED])
        for name in study.tasks:
            known = datasets[name]
            if protocol.READS == "features":
                _check_features(known, experiment.resources.features.processes)
            if protocol.READS != "scenes":
                _check_labels(study_name, study.protocol, protocol, known)
                _check_top5(study_name, known, metrics.get(name))
            keeps_names = getattr(known.spec, "storage", None) == "index"
            task = PlannedTask(
                name,
                known.count,
                lambda known=known: known.labels,
                keeps_names,
                lambda known=known: known.objects,
                lambda known=known: known.names,
                known.manifest is not None or not (known.absent or known.spec.missing()),
            )
            try:
                protocol.check(study.protocol, task)
            except OSError as error:
                raise MastError(f"datasets.{name}: {error}") from None


def _check_processes(name: str, protocol: Protocol, experiment: Experiment) -> None:
    """Check that the processes of a job, one for each GPU of each node, can share its work."""
    need = getattr(experiment.resources, STAGES[protocol.READS])
    if isinstance(need, SharedResources):
        protocol.check_processes(name, need.processes)


def _check_features(known: Known, processes: int) -> None:
    if known.count is not None and processes > known.count:
        raise MastError(
            f"resources.features: {processes} processes (gpus × nodes) are more than the {known.count} training images "
            f"of {known.name!r}; choose {known.count} or less"
        )


def _check_labels(study: str, protocol_name: str, protocol: Protocol, known: Known) -> None:
    """Check that the task has train and test labels of two or more classes, and no ignored ones unless supported."""
    where = f"studies.{study}.tasks: {known.name!r}"
    if known.labelled is False:
        raise MastError(f"{where} has no labels; evaluation needs them")
    if known.tested is False:
        raise MastError(f"{where} has no test split; evaluation needs one")
    if known.labels is None:
        return
    for target, sizes in known.labels.class_sizes(known.labels.train):
        if (sizes > 0).sum() < 2:
            raise MastError(f"{where}: the training images of target {target!r} are of one class; two are needed")
    if not protocol.IGNORES and (known.labels.train.min() < 0 or known.labels.test.min() < 0):
        raise MastError(
            f"{where} has images for which a class is to be ignored (label −1), which protocol {protocol_name!r} "
            f"({protocol.kind}) cannot do; choose svm-voc"
        )


def _check_top5(study: str, known: Known, metric: str | None) -> None:
    if metric != "top5" or known.labels is None:
        return
    if few := [target for target, classes in known.labels.classes.items() if classes <= 5]:
        named = "target" if len(few) == 1 else "targets"
        raise MastError(
            f"studies.{study}.metric: top5 needs more than 5 classes, which {named} {', '.join(map(repr, few))} of "
            f"{known.name!r} {'has' if len(few) == 1 else 'have'} not; choose top1 for {known.name!r}"
        )


def _check_summary(name: str, study: Study, tasks: list[KnownLabels | None]) -> None:
    """There are several columns where a study says what sums them up."""
    known = [labels.classes for labels in tasks if labels is not None]
    if "summary" in study.model_fields_set and len(known) == len(study.tasks) == 1 and len(known[0]) == 1:
        raise MastError(
            f"studies.{name}.summary: {study.tasks[0]!r} has one target, {next(iter(known[0]))!r}, and nothing to sum "
            "up; leave it out"
        )


def planned_tasks(experiment: Experiment, counts: dict[str, int | None]) -> Iterator[tuple[Study, PlannedTask]]:
    """Return every task of every study with what is known about it; the arguments are those of `check_protocols`."""
    for study in experiment.studies.values():
        for name in study.tasks:
            data = experiment.datasets[name]
            keeps_names = getattr(data, "storage", None) == "index"
            yield study, PlannedTask(name, counts[name], lambda data=data: data.known_labels, keeps_names)
