include: "../common/pretrain.smk"


pretrained = results.run("{dataset}", "{run}", "{seed}")

# This is part of the command and not a param, because measurements during training do not change a result.
MONITORED = experiment.monitor.epochs or experiment.monitor.tensorboard
MONITOR = f" --monitor {shlex.quote(experiment.monitor.model_dump_json())}" if MONITORED else ""


rule pretrain_run:
    input:
        data=data_of("dataset", pretrained.record),
    output:
        update(pretrained.encoder),
        update(pretrained.heads),
        update(pretrained.log),
        update(pretrained.record),
    log:
        results.log(pretrained.directory),
    benchmark:
        results.benchmark(pretrained.directory)
    threads: stage_threads("pretrain")
    resources:
        **stage_resources("pretrain"),
    params:
        spec=lambda wildcards: experiment.pretrain_spec(wildcards.run).without_pace().model_dump_json(),
        pace=pace,
        data=subpath(input.data, parent=True),
        output=subpath(output[0], parent=True),
    shell:
        f"{shared('pretrain')} pretrain"
        " --spec {params.spec:q} --run {wildcards.run} --seed {wildcards.seed}"
        " --data {params.data:q} --output {params.output:q}"
        " --threads {threads} --gpus {resources.gpus}{params.pace}"
        f"{MONITOR.replace('{', '{{').replace('}', '}}')} > {{log:q}} 2>&1"
