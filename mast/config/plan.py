"""Artefacts that the tables and figures of a configuration are made from."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from mast.config.experiment import Experiment
from mast.config.figures import FIGURES
from mast.config.references import trained_runs
from mast.config.tables import distinct
from mast.results import Results, predictions_of, suffixed

Place = Callable[[str, str, int], Path]
"""Function that returns the path of an artefact of one run with one seed, from (dataset of pretraining, run, seed)."""


def of_runs(experiment: Experiment, place: Place, runs: Iterable[str], seeds: Iterable[int] | None = None) -> list[str]:
    """Return the paths for every seed of these runs, or for `seeds`."""
    return [
        str(place(experiment.runs[run].dataset, run, seed))
        for run in runs
        for seed in experiment.run_seeds(run)
        if seeds is None or seed in seeds
    ]


def study_metrics(experiment: Experiment, name: str, runs: Iterable[str] | None = None) -> list[str]:
    """Return the metrics files of a study: every task, every run (or those of `runs`) and seed."""
    study, results = experiment.studies[name], Results(experiment.results)
    places = [partial(results.metrics, study.protocol, task) for task in study.tasks]
    return [file for place in places for file in of_runs(experiment, place, runs or study.runs, study.seeds)]


def health_files(experiment: Experiment) -> dict[str, list[str]]:
    """Return run → its record for each seed, for all runs in studies; for all runs if there are no studies."""
    results, found = Results(experiment.results), {}
    if not experiment.studies:
        return {run: of_runs(experiment, lambda *names: results.run(*names).record, [run]) for run in experiment.runs}
    for study in experiment.studies.values():
        for run in study.runs:
            files = of_runs(experiment, lambda *names: results.run(*names).record, [run], study.seeds)
            found[run] = list(dict.fromkeys([*found.get(run, []), *files]))
    return {run: found[run] for run in experiment.runs if run in found}


def planned_trainings(experiment: Experiment) -> dict[tuple[str, str, str], str]:
    """Return (dataset, run, seed) of every training run that the tables and figures need → the hash of its settings."""
    files = [file for own in health_files(experiment).values() for file in own]
    for name, source in FIGURES.items():
        if not source.of_studies and source.reads != "detections":
            files += [file for own in figure_files(experiment, name).values() for file in own]
    hashes = {run: experiment.pretrain_spec(run).sha256() for run in experiment.runs}
    names = dict.fromkeys(Path(file).parent.parts[-3:] for file in files)
    return {(dataset, run, seed.removeprefix("seed")): hashes[run] for dataset, run, seed in names}


def figure_files(experiment: Experiment, figure: str) -> dict[str, list[str]]:
    """Return the label of each run that a figure shows → the files that it is drawn from, one per seed.

    Without studies, a figure of logs shows all trained runs. For `detections` the files are the predictions of the
    first seed and the manifest of the data. For a figure of studies: title of each study → its table.
    """
    source, results = FIGURES[figure], Results(experiment.results)
    names = getattr(experiment.figures, source.shows)
    if source.reads == "log" and not experiment.studies:
        names = names or trained_runs(experiment)
    if source.of_studies:
        stem = results.table if source.reads == "table" else results.comparison
        titles = distinct({study: experiment.studies[study].title for study in names})
        return {title: [str(suffixed(stem(study), ".csv"))] for study, title in titles.items()}
    labels = distinct({run: experiment.runs[run].label or run for run in names})
    if source.reads == "detections":
        return {label: _detection_files(experiment, source.shows, run) for run, label in labels.items()}
    places: dict[str, Place] = {
        "log": lambda *names: results.run(*names).log,
        "extremes": lambda *names: results.analysis(*names).extremes,
        "pairs": lambda *names: results.analysis(*names).pairs,
    }
    place = places.get(source.reads, lambda *names: results.analysis(*names).table(source.reads))
    return {label: of_runs(experiment, place, [run]) for run, label in labels.items()}


def _detection_files(experiment: Experiment, key: str, run: str) -> list[str]:
    study, results = experiment.studies[experiment.detection_study(key)], Results(experiment.results)
    task = study.tasks[0]
    metrics = of_runs(experiment, partial(results.metrics, study.protocol, task), [run], study.seeds)
    return [str(predictions_of(Path(metrics[0]))), str(results.data(task).manifest)]
