rule extract_features:
    input:
        encoder=f"{RESULTS}/{ENCODER}",
        data=f"{RESULTS}/{MANIFEST}",
    output:
        f"{RESULTS}/{FEATURES}",
    log:
        f"{RESULTS}/logs/{FEATURES}.log",
    threads: stage_threads("features")
    resources:
        **stage_resources("features"),
    params:
        data=subpath(input.data, parent=True),
    shell:
        "mast features --encoder {input.encoder:q} --data {params.data:q} --output {output:q}"
        " --threads {threads} --gpus {resources.gpus} > {log:q} 2>&1"


for kind, command in (("linear-lbfgs", "linear"), ("knn", "knn"), ("few-shot", "few-shot"), ("svm-voc", "svm-voc")):

    rule:
        name:
            f"evaluate_{command.replace('-', '_')}"
        input:
            f"{RESULTS}/{FEATURES}",
        output:
            f"{RESULTS}/{METRICS}",
        log:
            f"{RESULTS}/logs/{METRICS}.log",
        threads: stage_threads("evaluate")
        resources:
            **stage_resources("evaluate"),
        params:
            command=command,  # the shell command is put together when a job runs: `command` is then the last one
            spec=protocol_json,
        wildcard_constraints:
            protocol=protocols(kind),
        shell:
            "mast {params.command}"
            " --protocol {wildcards.protocol} --spec {params.spec:q} --features {input:q} --output {output:q}"
            " --threads {threads} > {log:q} 2>&1"


rule evaluate_linear_sgd:
    input:
        encoder=f"{RESULTS}/{ENCODER}",
        data=f"{RESULTS}/{MANIFEST}",
    output:
        f"{RESULTS}/{METRICS}",
    log:
        f"{RESULTS}/logs/{METRICS}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{METRICS}.tsv"
    threads: stage_threads("finetune")
    resources:
        **stage_resources("finetune"),
    params:
        spec=protocol_json,
        data=subpath(input.data, parent=True),
    wildcard_constraints:
        protocol=protocols("linear-sgd"),
    shell:
        "mast linear-sgd --protocol {wildcards.protocol} --spec {params.spec:q} --encoder {input.encoder:q}"
        " --data {params.data:q} --output {output:q} --threads {threads} --gpus {resources.gpus} > {log:q} 2>&1"


rule evaluate_semi:
    input:
        encoder=f"{RESULTS}/{ENCODER}",
        data=f"{RESULTS}/{MANIFEST}",
        labelled=lambda wildcards: experiment.protocols[wildcards.protocol].subset_list or [],
    output:
        f"{RESULTS}/{METRICS}",
    log:
        f"{RESULTS}/logs/{METRICS}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{METRICS}.tsv"
    threads: stage_threads("finetune")
    resources:
        **stage_resources("finetune"),
    params:
        spec=protocol_json,
        data=subpath(input.data, parent=True),
    wildcard_constraints:
        protocol=protocols("semi-1", "semi-10"),
    shell:
        "mast semi --protocol {wildcards.protocol} --spec {params.spec:q} --encoder {input.encoder:q}"
        " --data {params.data:q} --output {output:q} --threads {threads} --gpus {resources.gpus} > {log:q} 2>&1"
