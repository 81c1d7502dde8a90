rule prepare_data:
    output:
        update(f"{RESULTS}/{MANIFEST}"),
    log:
        f"{RESULTS}/logs/{DATA}.log",
    priority: 10  # bad data are found before training starts
    threads: stage_threads("prepare")
    resources:
        **stage_resources("prepare"),
    params:
        spec=lambda wildcards: experiment.datasets[wildcards.task].model_dump_json(),
        output=subpath(output[0], parent=True),
    shell:
        "mast prepare --spec {params.spec:q} --task {wildcards.task} --output {params.output:q}"
        " --threads {threads} > {log:q} 2>&1"


# No training starts before all data sets of the configuration are prepared, so that bad data are found first. Trainings
# take this file as `ancient`: a new task's data make it anew and rerun nothing.
rule all_data_ready:
    input:
        expand(f"{RESULTS}/{MANIFEST}", task=experiment.datasets),
    output:
        touch(f"{RESULTS}/data/.ready"),
    log:
        f"{RESULTS}/logs/data/ready.log",
    localrule: True
    threads: 1
    resources:
        **stage_resources("prepare"),
