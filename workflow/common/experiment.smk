"""The validated configuration, and the files that follow from it."""

import shlex
import sys
from functools import cache

import mast.settings  # not its names: Snakemake has its own `parse` here
from mast.config.text import read_yaml
from mast.errors import MastError
from mast.results import Results
from snakemake.exceptions import WorkflowError

try:
    # These import the files of methods, protocols, data kinds, augmentations and figures, any of which may be faulty.
    from mast.config.experiment import Experiment
    from mast.config.figures import FIGURES as FIGURE_SOURCES
    from mast.config.plan import figure_files, health_files, of_runs, study_metrics
    from mast.preflight.experiment import check_experiment
    from mast.preflight.standing import standing

    if workflow.modifier.is_main_snakefile():
        CONFIGURATION = workflow.configfiles[-1]
        read_yaml(CONFIGURATION)  # `config` has only the last value of a duplicate key
    else:
        CONFIGURATION = f"config of the module {__name__}"  # from the workflow that uses this one
    experiment = mast.settings.parse(Experiment, config, CONFIGURATION)
    results = Results(experiment.results)

    @cache
    def standing_of(dataset, written):
        """Compare a dataset with its settings and files; `written` is the time of its manifest."""
        return standing(experiment, dataset)

    def standing_now(dataset):
        manifest = results.data(dataset).manifest
        return standing_of(dataset, manifest.stat().st_mtime_ns if manifest.exists() else None)

    # Jobs of an executor plan again themselves, but do not check all files again.
    standings = {name: standing_now(name) for name in experiment.datasets} if workflow.is_main_process else {}
    doubts = check_experiment(experiment, {name for name, now in standings.items() if now.due})
except MastError as error:
    raise WorkflowError(str(error)) from None

for doubt in doubts if workflow.is_main_process else ():
    print(f"mast: warning: {doubt}", file=sys.stderr)

MAST = f"{shlex.quote(sys.executable)} -m mast.cli"  # of this interpreter, whichever environment is active
RESULTS = str(results.root)


def one_of(names):
    """Return a wildcard constraint: one of these names, or nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    dataset=one_of(experiment.datasets),
    task=one_of(experiment.datasets),
    run=one_of(experiment.runs),
    seed=r"\d+",
    protocol=one_of(experiment.protocols),


def protocols_reading(*reads):
    """Return the protocols that read one of these: `features`, `images`, `scenes`."""
    return [name for name, spec in experiment.protocols.items() if spec.READS in reads]


def protocol_json(wildcards):
    """Return the settings of the job's protocol."""
    return experiment.protocols[wildcards.protocol].model_dump_json()


def protocol_version(wildcards):
    """Return the version of the protocol's code. It is a param so that results of other versions are made again."""
    return experiment.protocols[wildcards.protocol].version


def verbatim(text):
    """Return a text as a param that is not searched for wildcards."""
    return lambda wildcards: text


def as_it_is(text):
    """Return JSON as a param, without <, because the report writes params into a script."""
    return verbatim(text.replace("<", r"\u003c"))


class Unrecorded:
    """Return a param of a type that Snakemake cannot compare and so does not record: it reruns nothing."""

    def __init__(self, text=""):
        self.text = text

    def __str__(self):
        return self.text


def stage_resources(stage):
    """Return the resources that one job of a stage needs, from the configuration."""
    return getattr(experiment.resources, stage).model_dump(exclude={"threads"})


def stage_threads(stage):
    return getattr(experiment.resources, stage).threads


def metrics_of(protocols):
    """Return the metrics files of all studies under these protocols."""
    return sorted(
        {
            file
            for name, study in experiment.studies.items()
            if study.protocol in protocols
            for file in study_metrics(experiment, name)
        }
    )


def shared(stage):
    """Return the program for a stage whose work processes can share: each task of a job runs the command."""
    if getattr(experiment.resources, stage).nodes == 1:
        return MAST
    return f"{shlex.quote(sys.executable)} -m snakemake_executor_plugin_submitit.launch {MAST}"
