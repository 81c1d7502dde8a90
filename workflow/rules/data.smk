from mast.preflight.standing import dependents
from snakemake.logging import logger


include: "../common/data.smk"


prepared = results.data("{dataset}")


rule prepare_data:
    input:
        forced_if_due,
    output:
        update(prepared.manifest),
    log:
        results.log(prepared.directory),
    priority: 10  # bad data are found first; with profiles/default no training run starts in parallel
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

# Snakemake then checks again what depends on data, after they have been prepared again.
rules.prepare_data.rule.is_checkpoint = any(now.due for now in standings.values())
