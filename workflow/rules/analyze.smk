rule analyze_run:
    input:
        heads=f"{RESULTS}/{RUN}/heads.safetensors",
        encoder=f"{RESULTS}/{ENCODER}",
        run=f"{RESULTS}/{RUN}/run.json",
        data=lambda wildcards: f"{RESULTS}/{MANIFEST}".format(task=wildcards.dataset),
    output:
        masks=f"{RESULTS}/{ANALYSIS}/masks.csv",
        overlap=f"{RESULTS}/{ANALYSIS}/overlap.csv",
        subspaces=f"{RESULTS}/{ANALYSIS}/subspaces.csv",
        uncertainty=f"{RESULTS}/{ANALYSIS}/uncertainty.csv",
        difficulty=f"{RESULTS}/{ANALYSIS}/difficulty.csv",
        extremes=f"{RESULTS}/{ANALYSIS}/extremes.npz",
        invariance=f"{RESULTS}/{ANALYSIS}/invariance.csv",
        retrieval=f"{RESULTS}/{ANALYSIS}/retrieval.csv",
        record=f"{RESULTS}/{ANALYSIS}/analysis.json",
    log:
        f"{RESULTS}/logs/{ANALYSIS}.log",
    threads: stage_threads("analyze")
    resources:
        **stage_resources("analyze"),
    params:
        pretrained=subpath(input.heads, parent=True),
        data=subpath(input.data, parent=True),
        output=subpath(output.masks, parent=True),
    shell:
        f"{MAST} analyze"
        " --pretrained {params.pretrained:q} --data {params.data:q} --output {params.output:q}"
        " --threads {threads} --gpus {resources.gpus} > {log:q} 2>&1"
