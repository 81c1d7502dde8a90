"""Where each artefact lies (docs/design.md, "Artefacts"): what the workflow's rules and `mast --config` share.

The patterns are relative to the results directory; `dataset` is the one of pretraining, `task` the one at hand.
"""

from collections.abc import Iterable

from mast.config import Experiment
from mast.config.report import distinct

DATA = "data/{task}"
RUN = "pretrain/{dataset}/{run}/seed{seed}"
ENCODER = f"{RUN}/encoder.safetensors"
CURVES = f"{RUN}/metrics.jsonl"
FEATURES = "features/{dataset}/{run}/seed{seed}/{task}.npz"
METRICS = "metrics/{protocol}/{task}/{dataset}/{run}/seed{seed}.json"
PREDICTIONS = METRICS.removesuffix(".json") + ".predictions.json"
EXPORT = "export/{dataset}/{run}/seed{seed}"
ANALYSIS = "analysis/{dataset}/{run}/seed{seed}"
TABLE = "tables/{study}"
COMPARISON = f"{TABLE}_comparison"
HEALTH = "health"
FIGURE = "figures/{figure}"
FIGURE_SOURCES = {
    "losses": ("losses", CURVES),
    "masks": ("masks", f"{ANALYSIS}/masks.csv"),
    "overlap": ("masks", f"{ANALYSIS}/overlap.csv"),
    "clusters": ("masks", f"{ANALYSIS}/subspaces.csv"),
    "uncertainty": ("uncertainty", f"{ANALYSIS}/uncertainty.csv"),
    "difficulty": ("uncertainty", f"{ANALYSIS}/difficulty.csv"),
    "certainty": ("uncertainty", f"{ANALYSIS}/extremes.npz"),
    "invariance": ("invariance", f"{ANALYSIS}/invariance.csv"),
    "retrieval": ("retrieval", f"{ANALYSIS}/retrieval.csv"),
    "detections": ("detections", PREDICTIONS),
    "motivation": ("motivation", f"{TABLE}.csv"),
    "length": ("length", f"{TABLE}.csv"),
    "differences": ("differences", f"{COMPARISON}.csv"),
}
"""Figure → the list of runs (a key of `figures` in the configuration) and the file of each seed that it shows.

Figures of studies: the list of studies, and the table of each.
"""


def of_runs(
    experiment: Experiment, pattern: str, runs: Iterable[str], seeds: Iterable[int] | None = None, **names: str
) -> list[str]:
    """The paths of every seed of these runs (or those of `seeds`); the pattern's other fields are given by name."""
    return [
        f"{experiment.results}/{pattern}".format(dataset=experiment.runs[run].dataset, run=run, seed=seed, **names)
        for run in runs
        for seed in experiment.run_seeds(run)
        if seeds is None or seed in seeds
    ]


def study_metrics(experiment: Experiment, name: str, runs: Iterable[str] | None = None) -> list[str]:
    """The metrics files of a study: every task, run (or those of `runs`) and seed."""
    study = experiment.studies[name]
    return [
        file
        for task in study.tasks
        for file in of_runs(experiment, METRICS, runs or study.runs, study.seeds, protocol=study.protocol, task=task)
    ]


def health_files(experiment: Experiment) -> dict[str, list[str]]:
    """Run → run.json of each seed, for all that the studies show."""
    found: dict[str, list[str]] = {}
    for study in experiment.studies.values():
        for run in study.runs:
            files = of_runs(experiment, f"{RUN}/run.json", [run], study.seeds)
            found[run] = list(dict.fromkeys([*found.get(run, []), *files]))
    return {run: found[run] for run in experiment.runs if run in found}


def figure_files(experiment: Experiment, figure: str) -> dict[str, list[str]]:
    """Label of each run that a figure shows → the files that it is drawn from, one per seed.

    Of `detections`: the predictions of the first seed, and the manifest of the data. Of a figure of studies: title of
    each study → its table.
    """
    if figure == "detections":
        return _detection_files(experiment)
    key, pattern = FIGURE_SOURCES[figure]
    names = getattr(experiment.figures, key)
    if "{study}" in pattern:
        titles = distinct({study: experiment.studies[study].title for study in names})
        return {title: [f"{experiment.results}/{pattern}".format(study=study)] for study, title in titles.items()}
    return {label: of_runs(experiment, pattern, [run]) for run, label in _labels(experiment, names).items()}


def _detection_files(experiment: Experiment) -> dict[str, list[str]]:
    if not experiment.figures.detections:
        return {}
    study = experiment.studies[experiment.detection_study()]
    names = {"protocol": study.protocol, "task": study.tasks[0]}
    manifest = f"{experiment.results}/{DATA}/manifest.json".format(**names)
    return {
        label: [of_runs(experiment, PREDICTIONS, [run], study.seeds, **names)[0], manifest]
        for run, label in _labels(experiment, experiment.figures.detections).items()
    }


def _labels(experiment: Experiment, runs: Iterable[str]) -> dict[str, str]:
    """Run → its label, made distinct."""
    return distinct({run: experiment.runs[run].label or run for run in runs})
