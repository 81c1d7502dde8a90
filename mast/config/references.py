"""Checks that the names in a configuration are defined and fit where they are used."""

from typing import TYPE_CHECKING, Any, Literal

from mast.config.figures import FIGURES
from mast.config.tables import ALL_TASKS, check_setting
from mast.methods import METHODS
from mast.settings import nearest

if TYPE_CHECKING:
    from mast.config.experiment import Experiment, Study

Section = Literal["datasets", "runs", "protocols", "studies"]


def check_references(experiment: "Experiment") -> None:
    """Raise ValueError for the first name that is not defined, is taken, or does not fit where it is used."""
    if ALL_TASKS in experiment.datasets:
        raise ValueError(f"datasets.{ALL_TASKS}: tables use this name for all tasks together; choose another")
    for name, run in experiment.runs.items():
        dataset = _known(experiment, "datasets", run.dataset, f"runs.{name}.dataset")
        if dataset.has_boxes:
            raise ValueError(f"runs.{name}.dataset: {run.dataset!r} is a detection dataset ({dataset.kind})")
    for name, study in experiment.studies.items():
        _check_study(experiment, name, study)
    _check_figures(experiment)


def _check_study(experiment: "Experiment", name: str, study: "Study") -> None:
    protocol = _known(experiment, "protocols", study.protocol, f"studies.{name}.protocol")
    detects = protocol.READS == "scenes"
    for task in study.tasks:
        if _known(experiment, "datasets", task, f"studies.{name}.tasks").has_boxes != detects:
            raise ValueError(f"studies.{name}.tasks: {task!r} does not fit protocol {study.protocol!r}")
    for run in study.runs:
        _known(experiment, "runs", run, f"studies.{name}.runs")
    for key in study.settings:
        try:
            check_setting(key)
        except ValueError as error:
            raise ValueError(f"studies.{name}.settings: {error}") from None
    _check_metric(name, study, protocol)
    if "summary" in study.model_fields_set and not protocol.AVERAGED:
        raise ValueError(
            f"studies.{name}.summary: what {protocol.kind!r} measures is not summed up over tasks; leave it out"
        )
    _check_comparison(experiment, name, study)


def _check_metric(name: str, study: "Study", protocol: Any) -> None:
    for task, metric in study.metrics().items():
        if task not in study.tasks:
            raise ValueError(f"studies.{name}.metric: {task!r} is not a task of the study")
        if protocol.CHOICES is not None and metric not in protocol.CHOICES:
            others = f"choose from: {', '.join(protocol.CHOICES)}" if protocol.CHOICES else "leave it out"
            raise ValueError(f"studies.{name}.metric: {protocol.kind!r} does not measure {metric}; {others}")


def _check_comparison(experiment: "Experiment", name: str, study: "Study") -> None:
    if study.compare is None:
        return
    for key, runs in (("baseline", (study.compare.baseline,)), ("runs", study.compare.runs)):
        for run in runs:
            if run not in study.runs:
                where = f"studies.{name}.compare.{key}"
                raise ValueError(f"{where}: {run!r} is not a run of the study; {nearest(run, study.runs)}")
    baseline = study.compare.baseline
    if baseline in study.compare.runs:
        raise ValueError(f"studies.{name}.compare.runs: the baseline {baseline!r} is compared with itself")
    if f"{name}_comparison" in experiment.studies:
        raise ValueError(
            f"studies.{name}_comparison: the table of differences of study {name!r} has this name; choose another"
        )


def _check_figures(experiment: "Experiment") -> None:
    for source in FIGURES.values():
        where, names = f"figures.{source.shows}", getattr(experiment.figures, source.shows)
        for name in names:
            entry = _known(experiment, "studies" if source.of_studies else "runs", name, where)
            if source.setting is not None and source.setting not in entry.settings:
                raise ValueError(f"{where}: study {name!r} needs {source.setting!r} in its settings")
            if source.reads == "comparison" and entry.compare is None:
                raise ValueError(f"{where}: study {name!r} compares no runs; give it the key 'compare'")
        if names and source.reads == "detections":
            study = experiment.detection_study(source.shows)
            seeds = experiment.studies[study].seeds
            for name in names:
                if seeds is not None and not set(seeds) & set(experiment.run_seeds(name)):
                    raise ValueError(f"{where}: study {study!r} evaluates no seed of run {name!r}; change its seeds")


def _known(experiment: "Experiment", section: Section, name: str, where: str) -> Any:
    entries = getattr(experiment, section)
    if name not in entries:
        raise ValueError(f"{where}: {name!r} is not in {section}; {nearest(name, entries)}")
    return entries[name]


def trained_runs(experiment: "Experiment") -> tuple[str, ...]:
    """Return the runs whose method trains."""
    return tuple(name for name, run in experiment.runs.items() if METHODS[run.method].READS)
