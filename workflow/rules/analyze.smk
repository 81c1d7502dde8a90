from mast.columns import ANALYSIS_COLUMNS

analysed = results.analysis("{dataset}", "{run}", "{seed}")


rule analyze_run:
    input:
        heads=pretrained.heads,
        encoder=pretrained.encoder,
        run=pretrained.record,
        data=data_of("dataset", pretrained.record),
    output:
        **{name: analysed.table(name) for name in ANALYSIS_COLUMNS},
        extremes=analysed.extremes,
        pairs=analysed.pairs,
        record=analysed.record,
    log:
        results.log(analysed.directory),
    threads: stage_threads("analyze")
    resources:
        **stage_resources("analyze"),
    params:
        pretrained=subpath(input.heads, parent=True),
        data=subpath(input.data, parent=True),
        output=subpath(output.record, parent=True),
    shell:
        f"{MAST} analyze"
        " --pretrained {params.pretrained:q} --data {params.data:q} --output {params.output:q}"
        " --threads {threads} --gpus {resources.gpus} > {log:q} 2>&1"
