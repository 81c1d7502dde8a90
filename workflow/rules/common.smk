"""The validated configuration, and the files that follow from it."""

import mast.config
import mast.settings
from mast.config.figures import FIGURES as FIGURE_SOURCES
from mast.config.plan import figure_files, health_files, of_runs, study_metrics
from mast.config.text import read_yaml
from mast.preflight.experiment import check_experiment
from mast.errors import MastError
from mast.paths import CURVES, DATA, ENCODER, FEATURES, METRICS, PREDICTIONS, RUN
from mast.results import Results
from snakemake.exceptions import WorkflowError

try:
    read_yaml(workflow.configfiles[-1])  # of a key that stands twice, `config` holds but the last
    experiment = mast.settings.parse(mast.config.Experiment, config, workflow.configfiles[-1])
    check_experiment(experiment)
except MastError as error:
    raise WorkflowError(str(error)) from None

results = Results(experiment.results)
RESULTS = str(results.root)
MANIFEST = Results("").data("{task}").manifest


def one_of(names):
    """A wildcard constraint: one of these names, or nothing at all where there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    dataset=one_of(experiment.datasets),
    task=one_of(experiment.datasets),
    run=one_of(experiment.runs),
    seed=r"\d+",
    protocol=one_of(experiment.protocols),


def protocols(*kinds):
    """A wildcard constraint: the protocols of these kinds."""
    return one_of(name for name, spec in experiment.protocols.items() if spec.kind in kinds)


def protocol_json(wildcards):
    """The settings of the job's protocol."""
    return experiment.protocols[wildcards.protocol].model_dump_json()


def verbatim(text):
    """A text as a param: not looked through for wildcards."""
    return lambda wildcards: text


def as_it_is(text):
    """JSON as a param; without <, as the report writes params into a script."""
    return verbatim(text.replace("<", r"\u003c"))


def stage_resources(stage):
    """What one job of a stage needs, as the configuration says."""
    return getattr(experiment.resources, stage).model_dump(exclude={"threads"})


def stage_threads(stage):
    return getattr(experiment.resources, stage).threads


def metrics_of(*kinds):
    """The metrics files of all studies under protocols of these kinds."""
    return sorted(
        {
            file
            for name, study in experiment.studies.items()
            if experiment.protocols[study.protocol].kind in kinds
            for file in study_metrics(experiment, name)
        }
    )
