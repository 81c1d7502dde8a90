from mast.protocols import STAGES
from mast.results import predictions_of


include: "../common/evaluate.smk"


OF_RUN = ("{dataset}", "{run}", "{seed}")
FEATURES_FILE = results.features(*OF_RUN, "{task}{pooling}")
METRICS_FILE = results.metrics("{protocol}", "{task}", *OF_RUN)


rule extract_features:
    input:
        encoder=results.run(*OF_RUN).encoder,
        data=data_of("task", FEATURES_FILE),
    output:
        FEATURES_FILE,
    log:
        results.log(FEATURES_FILE),
    wildcard_constraints:
        pooling=r"(\+grid)?",
    threads: stage_threads("features")
    resources:
        **stage_resources("features"),
    params:
        data=subpath(input.data, parent=True),
        pooling=lambda wildcards: wildcards.pooling.replace("+", " --pooling ") or Unrecorded(),
    shell:
        f"{shared('features')} features"
        " --encoder {input.encoder:q} --data {params.data:q} --output {output:q}{params.pooling}"
        " --threads {threads} --gpus {resources.gpus} > {log:q} 2>&1"


rule evaluate_features:
    input:
        features_of,
    output:
        METRICS_FILE,
    log:
        results.log(METRICS_FILE),
    wildcard_constraints:
        protocol=one_of(protocols_reading("features")),
    threads: stage_threads(STAGES["features"])
    resources:
        **stage_resources(STAGES["features"]),
    params:
        spec=protocol_json,
        version=protocol_version,
    shell:
        f"{MAST} evaluate"
        " --protocol {wildcards.protocol} --spec {params.spec:q} --features {input:q} --output {output:q}"
        " --threads {threads} > {log:q} 2>&1"


ANY_RULE = rules.evaluate_features.rule  # its name is different when another workflow uses this one

for reads, more in (("images", {}), ("scenes", {"predictions": predictions_of(METRICS_FILE)})):

    rule:
        name:
            f"evaluate_{reads}"
        input:
            encoder=results.run(*OF_RUN).encoder,
            data=data_of("task", METRICS_FILE),
            files=lambda wildcards: [
                file for file in experiment.protocols[wildcards.protocol].files if Path(file).exists()
            ],
        output:
            **more,
            metrics=METRICS_FILE,
        log:
            results.log(METRICS_FILE),
        benchmark:
            results.benchmark(METRICS_FILE)
        wildcard_constraints:
            protocol=one_of(protocols_reading(reads)),
        threads: stage_threads(STAGES[reads])
        resources:
            **stage_resources(STAGES[reads]),
        params:
            spec=protocol_json,
            version=protocol_version,
            data=subpath(input.data, parent=True),
            content=content_of_files,
        shell:
            f"{shared(STAGES[reads])} evaluate"
            " --protocol {wildcards.protocol} --spec {params.spec:q} --seed {wildcards.seed}"
            " --encoder {input.encoder:q} --data {params.data:q} --output {output.metrics:q}"
            " --threads {threads} --gpus {resources.gpus} > {log:q} 2>&1"
