"""Checks that a task has the images that a protocol needs, made when the workflow is planned."""

from pathlib import Path

from mast.config import (
    DataSpec,
    Experiment,
    FewShotProtocol,
    KnnProtocol,
    LinearSgdProtocol,
    ProtocolSpec,
    Semi1Protocol,
    Semi10Protocol,
    SvmProtocol,
)
from mast.data.known_labels import KnownLabels
from mast.errors import MastError


def check_protocols(experiment: Experiment, counts: dict[str, int | None]) -> None:
    """Check neighbours, batches and lists against the images of each task; shots, folds and shares against its classes.

    Args:
        experiment: the configuration.
        counts: data set → number of training images, None where it is not known yet.

    Raises:
        MastError: `protocols.<name>…`, for the first that asks for more than a task has.
    """
    for study in experiment.studies.values():
        spec = experiment.protocols[study.protocol]
        for task in study.tasks:
            _check_count(study.protocol, spec, task, counts[task])
            if getattr(spec, "subset_list", None) is not None:
                _check_list(study.protocol, spec.subset_list, task, experiment.datasets[task])
            if isinstance(spec, FewShotProtocol | SvmProtocol | Semi1Protocol | Semi10Protocol):
                labels = experiment.datasets[task].known_labels
                if labels is not None:
                    _check_classes(study.protocol, spec, task, labels)


def _check_count(name: str, spec: ProtocolSpec, task: str, count: int | None) -> None:
    key = {KnnProtocol: "k", LinearSgdProtocol: "batch_size"}.get(type(spec))
    if key is not None and count is not None and getattr(spec, key) > count:
        raise MastError(
            f"protocols.{name}.{key}: {getattr(spec, key)} is more than the {count} training images of {task!r}; "
            f"choose {count} or less"
        )


def _check_list(name: str, file: str, task: str, data: DataSpec) -> None:
    if not Path(file).is_file():
        raise MastError(f"protocols.{name}.subset_list: {file}: no such file; docs/protocols.md says where to get it")
    if getattr(data, "storage", None) != "index":
        raise MastError(
            f"protocols.{name}.subset_list: {task!r} keeps no file names; choose data with `storage: index`, or leave "
            "the list out"
        )


def _check_classes(name: str, spec: ProtocolSpec, task: str, labels: KnownLabels) -> None:
    if isinstance(spec, FewShotProtocol):
        for target, sizes in labels.class_sizes(labels.scored(spec.split)):
            if sizes.min() < spec.shots + spec.queries:
                raise MastError(
                    f"protocols.{name}: {spec.shots} shots and {spec.queries} queries are more than the {sizes.min()} "
                    f"images of a class of target {target!r} of {task!r}; choose fewer, or more images"
                )
    elif isinstance(spec, SvmProtocol):
        for target, sizes in labels.class_sizes(labels.fitted(spec.split)):
            fewest = min(sizes.min(), sizes.sum() - sizes.max())
            if fewest < spec.folds:
                raise MastError(
                    f"protocols.{name}.folds: {spec.folds} is more than the {fewest} training images with or without "
                    f"a class of target {target!r} of {task!r}; choose fewer folds"
                )
    elif spec.subset_list is None:
        for target, sizes in labels.class_sizes(labels.fitted(spec.split)):
            labelled = sum(max(1, round(spec.fraction * size)) for size in sizes if size)
            if labelled < spec.batch_size:
                raise MastError(
                    f"protocols.{name}.batch_size: {spec.batch_size} is more than the {labelled} labelled images "
                    f"of target {target!r} of {task!r}; choose {labelled} or less"
                )
