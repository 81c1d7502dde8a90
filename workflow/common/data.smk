"""Data as inputs of rules."""

from mast.preflight.standing import made_from
from snakemake.settings.types import RerunTrigger


def data_of(wildcard, made):
    """The manifest of a dataset as an input. Its time counts only if what is there was made from other data.

    Of data that are prepared again, only then is their identity known, and what depends on them looked at once more. A
    dry run shows what is expected.

    Args:
        wildcard: the wildcard that names the dataset.
        made: the file, a pattern, that says what it was made from.
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
    """No input. Snakemake (9.27) has no record of data that `mast prepare` prepared by hand, whose params it could compare.

    An error here would leave the rule out unseen, as the manifest is there.
    """
    if workflow.is_main_process and RerunTrigger.PARAMS in workflow.rerun_triggers:
        if standing_now(wildcards.dataset).due:
            getattr(workflow.dag, "forcefiles", set()).add(str(results.data(wildcards.dataset).manifest))
    return []
