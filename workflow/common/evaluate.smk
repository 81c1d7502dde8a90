"""Inputs and params of evaluations."""

from mast.preflight.standing import files_state
from snakemake.io import IOFile


def content_of_files(wildcards):
    """Make a job run again when a file of its protocol is replaced, even by an older one."""
    files, metrics = experiment.protocols[wildcards.protocol].files, str(METRICS_FILE).format(**wildcards)
    recorded = workflow.persistence.params(IOFile(metrics, ANY_RULE)) if files else None
    return files_state(files, Path(metrics), recorded or ()) or Unrecorded()


def features_of(wildcards):
    """Return the features that the job's protocol reads."""
    run = wildcards.dataset, wildcards.run, wildcards.seed
    return str(results.features(*run, wildcards.task, experiment.protocols[wildcards.protocol].feature_pooling))
