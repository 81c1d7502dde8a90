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


rule evaluate_linear:
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
        spec=protocol_json,
    wildcard_constraints:
        protocol=protocols("linear-lbfgs"),
    shell:
        "mast linear --protocol {wildcards.protocol} --spec {params.spec:q} --features {input:q} --output {output:q}"
        " --threads {threads} > {log:q} 2>&1"


rule evaluate_knn:
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
        spec=protocol_json,
    wildcard_constraints:
        protocol=protocols("knn"),
    shell:
        "mast knn --protocol {wildcards.protocol} --spec {params.spec:q} --features {input:q} --output {output:q}"
        " --threads {threads} > {log:q} 2>&1"


rule evaluate_few_shot:
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
        spec=protocol_json,
    wildcard_constraints:
        protocol=protocols("few-shot"),
    shell:
        "mast few-shot --protocol {wildcards.protocol} --spec {params.spec:q} --features {input:q} --output {output:q}"
        " --threads {threads} > {log:q} 2>&1"


rule evaluate_svm_voc:
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
        spec=protocol_json,
    wildcard_constraints:
        protocol=protocols("svm-voc"),
    shell:
        "mast svm-voc --protocol {wildcards.protocol} --spec {params.spec:q} --features {input:q} --output {output:q}"
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
