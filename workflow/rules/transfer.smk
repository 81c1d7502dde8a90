rule train_detector:
    input:
        encoder=f"{RESULTS}/{ENCODER}",
        data=f"{RESULTS}/{MANIFEST}",
    output:
        metrics=f"{RESULTS}/{METRICS}",
        predictions=f"{RESULTS}/{PREDICTIONS}",
    log:
        f"{RESULTS}/logs/{METRICS}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{METRICS}.tsv"
    threads: stage_threads("detection")
    resources:
        **stage_resources("detection"),
    params:
        spec=protocol_json,
        data=subpath(input.data, parent=True),
    wildcard_constraints:
        protocol=protocols("detection"),
    shell:
        "mast detect --protocol {wildcards.protocol} --spec {params.spec:q} --seed {wildcards.seed}"
        " --encoder {input.encoder:q} --data {params.data:q} --output {output.metrics:q}"
        " --threads {threads} --gpus {resources.gpus} > {log:q} 2>&1"
