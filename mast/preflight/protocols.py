"""Checks that a task has the images that a protocol needs, made when the workflow is planned."""

from collections.abc import Iterator

from mast.config.experiment import Experiment, Study
from mast.protocols import PlannedTask


def check_protocols(experiment: Experiment, counts: dict[str, int | None]) -> None:
    """Let the protocol of every study compare what it asks for with what the study's tasks have.

    Args:
        experiment: the configuration.
        counts: data set → number of training images, None where it is not known yet.

    Raises:
        MastError: `protocols.<name>…`, for the first that asks for more than a task has.
    """
    for study, task in planned_tasks(experiment, counts):
        experiment.protocols[study.protocol].check(study.protocol, task)


def planned_tasks(experiment: Experiment, counts: dict[str, int | None]) -> Iterator[tuple[Study, PlannedTask]]:
    """Every task of every study, with what is known of it; the arguments are those of `check_protocols`."""
    for study in experiment.studies.values():
        for name in study.tasks:
            data = experiment.datasets[name]
            keeps_names = getattr(data, "storage", None) == "index"
            yield study, PlannedTask(name, counts[name], lambda data=data: data.known_labels, keeps_names)
