"""Data as inputs of rules."""

from mast.preflight.standing import made_from
from snakemake.settings.types import RerunTrigger


def data_of(wildcard, made):
    """Return a dataset's manifest as an input. Its time counts only if the existing result was made from other data.

    If data are prepared again, their identity is known only after that, and everything that depends on them is then
    checked again. A dry run shows what is expected.

    Args:
        wildcard: the wildcard that names the dataset.
        made: pattern of the result file, which records what it was made from.
    """

    def manifest(wildcards):
        file, output = results.data(wildcards[wildcard]).manifest, Path(str(made).format(**wildcards))
        if not workflow.is_main_process or not file.exists() or not output.exists():
            return str(file)
        now = standing_now(wildcards[wildcard])
        if now.due:
            unchanged = not workflow.dryrun or now.same
        else:
            unchanged = file.stat().st_mtime_ns > output.stat().st_mtime_ns
        return ancient(str(file)) if unchanged and made_from(output, file) else str(file)

    return manifest


def forced_if_due(wildcards):
    """Force the rule if data are due; return no input. Snakemake (9.27) has no params of data prepared by hand.

    An error here would silently leave the rule out, because the manifest exists.
    """
    if workflow.is_main_process and RerunTrigger.PARAMS in workflow.rerun_triggers:
        if standing_now(wildcards.dataset).due:
            getattr(workflow.dag, "forcefiles", set()).add(str(results.data(wildcards.dataset).manifest))
    return []
