"""Where each artefact lies (docs/design.md, "Artefacts"): what the workflow's rules and `mast --config` share.

The patterns are relative to the results directory; `dataset` is the one of pretraining, `task` the one at hand.
"""

from collections.abc import Iterable

from mast.config import Experiment

DATA = "data/{task}"
RUN = "pretrain/{dataset}/{run}/seed{seed}"
ENCODER = f"{RUN}/encoder.safetensors"
CURVES = f"{RUN}/metrics.jsonl"
FEATURES = "features/{dataset}/{run}/seed{seed}/{task}.npz"
METRICS = "metrics/{protocol}/{task}/{dataset}/{run}/seed{seed}.json"
ANALYSIS = "analysis/{dataset}/{run}/seed{seed}"
TABLE = "tables/{study}"
FIGURE = "figures/{figure}"


def of_runs(experiment: Experiment, pattern: str, runs: Iterable[str], **names: str) -> list[str]:
    """The paths of every seed of these runs; the pattern's other fields are given by name."""
    return [
        f"{experiment.results}/{pattern}".format(dataset=experiment.runs[run].dataset, run=run, seed=seed, **names)
        for run in runs
        for seed in experiment.run_seeds(run)
    ]


def study_metrics(experiment: Experiment, name: str) -> list[str]:
    """The metrics files of a study: every task, run and seed."""
    study = experiment.studies[name]
    return [
        file
        for task in study.tasks
        for file in of_runs(experiment, METRICS, study.runs, protocol=study.protocol, task=task)
    ]
