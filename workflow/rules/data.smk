prepared = results.data("{dataset}")


rule prepare_data:
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
    shell:
        f"{MAST} prepare"
        " --spec {params.spec:q} --dataset {wildcards.dataset} --output {params.output:q}"
        " --threads {threads} > {log:q} 2>&1"
