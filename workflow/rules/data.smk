rule prepare_data:
    output:
        update(f"{RESULTS}/{MANIFEST}"),
    log:
        f"{RESULTS}/logs/{DATA}.log",
    threads: stage_threads("prepare")
    resources:
        **stage_resources("prepare"),
    params:
        spec=lambda wildcards: experiment.datasets[wildcards.task].model_dump_json(),
        output=subpath(output[0], parent=True),
    shell:
        "mast prepare --spec {params.spec:q} --task {wildcards.task} --output {params.output:q}"
        " --threads {threads} > {log:q} 2>&1"


# No training starts before all data sets are prepared and all runs are found to fit them. Trainings take this file as
# `ancient`: a new task or run makes it anew and reruns nothing.
rule check_all:
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
    params:
        spec=experiment.plan().model_dump_json(),
        data=f"{RESULTS}/data",
    shell:
        "mast preflight --spec {params.spec:q} --data {params.data:q} > {log:q} 2>&1"
