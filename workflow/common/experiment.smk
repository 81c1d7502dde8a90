"""The validated configuration, and the files that follow from it."""

import shlex
import sys
from functools import cache

import mast.settings  # not its names: `parse` is one of Snakemake's own here
from mast.config.text import read_yaml
from mast.errors import MastError
from mast.results import Results
from snakemake.exceptions import WorkflowError

try:
    # These read the files of methods, protocols, data kinds, augmentations and figures, of which one may be faulty.
    from mast.config.experiment import Experiment
    from mast.config.figures import FIGURES as FIGURE_SOURCES
    from mast.config.plan import figure_files, health_files, of_runs, study_metrics
    from mast.preflight.experiment import check_experiment
    from mast.preflight.standing import standing

    if workflow.modifier.is_main_snakefile():
        CONFIGURATION = workflow.configfiles[-1]
        read_yaml(CONFIGURATION)  # of a duplicate key, `config` holds the last value only
    else:
        CONFIGURATION = f"config of the module {__name__}"  # given by the workflow that uses this one
    experiment = mast.settings.parse(Experiment, config, CONFIGURATION)
    results = Results(experiment.results)

    @cache
    def standing_of(dataset, written):
        """How a dataset stands to its settings and files; `written` is the time of its manifest."""
        return standing(experiment, dataset)

    def standing_now(dataset):
        manifest = results.data(dataset).manifest
        return standing_of(dataset, manifest.stat().st_mtime_ns if manifest.exists() else None)

    # Jobs of an executor plan on their own, and do not look at all files again.
    standings = {name: standing_now(name) for name in experiment.datasets} if workflow.is_main_process else {}
    doubts = check_experiment(experiment, {name for name, now in standings.items() if now.due})
except MastError as error:
    raise WorkflowError(str(error)) from None

for doubt in doubts if workflow.is_main_process else ():
    print(f"mast: warning: {doubt}", file=sys.stderr)

MAST = f"{shlex.quote(sys.executable)} -m mast.cli"  # of this interpreter, whichever environment is active
RESULTS = str(results.root)


def one_of(names):
    """A wildcard constraint: one of these names, or nothing at all where there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    dataset=one_of(experiment.datasets),
    task=one_of(experiment.datasets),
    run=one_of(experiment.runs),
    seed=r"\d+",
    protocol=one_of(experiment.protocols),


def protocols_reading(*reads):
    """The protocols that read one of these: `features`, `images`, `scenes`."""
    return [name for name, spec in experiment.protocols.items() if spec.READS in reads]


def protocol_json(wildcards):
    """The settings of the job's protocol."""
    return experiment.protocols[wildcards.protocol].model_dump_json()


def protocol_version(wildcards):
    """That of the protocol's code. No command reads it: it is a param so that results of another are made again."""
    return experiment.protocols[wildcards.protocol].version


def verbatim(text):
    """A text as a param: not looked through for wildcards."""
    return lambda wildcards: text


def as_it_is(text):
    """JSON as a param; without <, as the report writes params into a script."""
    return verbatim(text.replace("<", r"\u003c"))


class Unrecorded:
    """A param that Snakemake does not record, as it is of a type that it cannot compare: it reruns nothing."""

    def __init__(self, text=""):
        self.text = text

    def __str__(self):
        return self.text


def stage_resources(stage):
    """What one job of a stage needs, as the configuration says."""
    return getattr(experiment.resources, stage).model_dump(exclude={"threads"})


def stage_threads(stage):
    return getattr(experiment.resources, stage).threads


def metrics_of(protocols):
    """The metrics files of all studies under these protocols."""
    return sorted(
        {
            file
            for name, study in experiment.studies.items()
            if study.protocol in protocols
            for file in study_metrics(experiment, name)
        }
    )


def shared(stage):
    """The program for a stage whose work several processes share: of a job of several tasks each runs the command."""
    if getattr(experiment.resources, stage).nodes == 1:
        return MAST
    return f"{shlex.quote(sys.executable)} -m snakemake_executor_plugin_submitit.launch {MAST}"
