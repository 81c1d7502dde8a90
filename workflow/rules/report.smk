import json
from pathlib import Path

from mast.config.index import index_spec
from mast.config.published import published_file


include: "../common/report.smk"


PUBLISHED = published_file(experiment.published)
PUBLISHED_OPTION = " --published {input.published:q}" if PUBLISHED else ""
# Not an argument of a program: Linux limits one to 128 KiB. `printf` is built into the shell.
SPEC_GIVEN = "printf %s {params.spec:q} |"
SHOWN = [figure for figure in FIGURE_SOURCES if figure_files(experiment, figure)]


HEALTH_TABLE = in_formats(results.health, *FORMATS)
TABLES = [table for study in experiment.studies for table in study_tables(study)] + HEALTH_TABLE
FIGURES = [file for figure in SHOWN for file in in_formats(results.figure(figure), ".svg", ".png")]

for study, spec in experiment.studies.items():

    rule:
        name:
            f"table_{study}"
        input:
            metrics=study_metrics(experiment, study),
            published=verbatim([str(PUBLISHED)] if PUBLISHED else []),
        output:
            update(in_formats(results.table(study), *FORMATS[:-1], SOURCES_SUFFIX)),
            report(
                update(suffixed(results.table(study), FORMATS[-1])),
                caption=caption(f"studies/{study}", "caption"),
                category="Tables",
                labels=shown_as("table", spec.title),
            ),
        log:
            results.log(results.table(study)),
        localrule: True
        threads: stage_threads("report")
        resources:
            **stage_resources("report"),
        params:
            spec=as_it_is(experiment.table_spec(study).model_dump_json()),
            output=subpath(output[0], strip_suffix=".csv"),
            caption=verbatim(experiment.protocol_caption(study)),
        shell:
            f"{SPEC_GIVEN} {MAST} table{PUBLISHED_OPTION}"
            " --spec - --output {params.output:q}"
            " {input.metrics:q} > {log:q} 2>&1"


for study in COMPARED:
    spec = experiment.comparison_spec(study)

    rule:
        name:
            f"comparison_{study}"
        input:
            study_metrics(experiment, study, [row.run for row in spec.rows]),
        output:
            update(in_formats(results.comparison(study), *FORMATS[:-1], SOURCES_SUFFIX)),
            report(
                update(suffixed(results.comparison(study), FORMATS[-1])),
                caption=caption("comparison"),
                category="Tables",
                labels=shown_as("table", f"{spec.title}: differences"),
            ),
        log:
            results.log(results.comparison(study)),
        localrule: True
        threads: stage_threads("report")
        resources:
            **stage_resources("report"),
        params:
            spec=as_it_is(spec.model_dump_json()),
            output=subpath(output[0], strip_suffix=".csv"),
        shell:
            f"{SPEC_GIVEN} {MAST} compare" " --spec - --output {params.output:q} {input:q} > {log:q} 2>&1"


rule health_of_runs:
    input:
        [file for own in health_files(experiment).values() for file in own],
    output:
        update(HEALTH_TABLE[:-1]),
        report(
            update(HEALTH_TABLE[-1]),
            caption=caption("health"),
            category="Tables",
            labels={"table": "Health of the runs"},
        ),
    log:
        results.log(results.health),
    localrule: True
    threads: stage_threads("report")
    resources:
        **stage_resources("report"),
    params:
        spec=json.dumps(health_files(experiment)),
        output=subpath(output[0], strip_suffix=".csv"),
    shell:
        f"{SPEC_GIVEN} {MAST} health" " --spec - --output {params.output:q} > {log:q} 2>&1"


for figure in SHOWN:
    svg, png = in_formats(results.figure(figure), ".svg", ".png")

    rule:
        name:
            f"figure_{figure}"
        input:
            [after(file) for own in figure_files(experiment, figure).values() for file in own],
        output:
            report(update(svg), caption=caption("caption"), category="Figures", labels={"figure": figure}),
            update(png),
        log:
            results.log(results.figure(figure)),
        localrule: True
        threads: stage_threads("report")
        resources:
            **stage_resources("report"),
        params:
            spec=as_it_is(json.dumps(figure_files(experiment, figure))),
            figure=figure,
            output=subpath(output[0], strip_suffix=".svg"),
            caption=verbatim(FIGURE_SOURCES[figure].caption),
        shell:
            f"{SPEC_GIVEN} {MAST} figure" " {params.figure} --spec - --output {params.output:q} > {log:q} 2>&1"


rule make_report:
    input:
        TABLES,
        FIGURES,
    output:
        index=update(results.index),
        report=update(results.report),
        config=update(results.config),
    log:
        results.log(results.root / "report"),
    localrule: True
    threads: stage_threads("report")
    resources:
        **stage_resources("report"),
    params:
        config=as_it_is(json.dumps(config)),
        new_config=str(results.config.with_name(f".{results.config.name}")),
        index=as_it_is(index_spec(experiment).model_dump_json()),
        new_index=str(results.index.with_name(f".{results.index.name}")),
        new_report=str(results.report.with_name(f".{results.report.name}")),
        python=sys.executable,
        snakefile=str(Path(workflow.main_snakefile).resolve()),
    shell:
        "( printf '%s\n' {params.config:q} > {params.new_config:q} &&"
        f" printf %s {{params.index:q}} | {MAST} index --spec - --output {{params.new_index:q}} &&"
        " {params.python:q} -m snakemake --snakefile {params.snakefile:q} --configfile {params.new_config:q}"
        " --profile none --workflow-profile none --nolock --report {params.new_report:q} tables figures &&"
        " mv {params.new_index:q} {output.index:q} && mv {params.new_report:q} {output.report:q} &&"
        " mv {params.new_config:q} {output.config:q} ) > {log:q} 2>&1"
