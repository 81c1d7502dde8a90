from mast.preflight.standing import dependents, made_from
from snakemake.logging import logger
from snakemake.settings.types import RerunTrigger

prepared = results.data("{dataset}")


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


rule prepare_data:
    input:
        forced_if_due,
    output:
        update(prepared.manifest),
    log:
        results.log(prepared.directory),
    priority: 10  # bad data are found first; profiles/default lets no training run beside it
    threads: stage_threads("prepare")
    resources:
        **stage_resources("prepare"),
    params:
        spec=lambda wildcards: experiment.datasets[wildcards.dataset].model_dump_json(),
        output=subpath(output[0], parent=True),
        reason=lambda wildcards: standing_now(wildcards.dataset).reason or Unrecorded(),
    shell:
        f"{MAST} prepare"
        " --spec {params.spec:q} --dataset {wildcards.dataset} --output {params.output:q} --reason={params.reason:q}"
        " --threads {threads} > {log:q} 2>&1"


for name, now in standings.items():
    if now.due:
        same = "nothing else runs again for it (what runs for other reasons is planned then)"
        other = f"what depends on it ({dependents(experiment, name)}) runs again if its content is another"
        then = same if now.same else other
        ignored = "; changed_data: ignore leaves it as it is" if now.changes else ""
        logger.warning(f"datasets.{name}: {now}; prepared again where it is needed, and {then}{ignored}")

# Snakemake then looks at what depends on data once more, when they have been prepared again.
rules.prepare_data.rule.is_checkpoint = any(now.due for now in standings.values())
