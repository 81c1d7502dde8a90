import json
import sys
from pathlib import Path

PUBLISHED = "config/published.yaml"
SHOWN = [figure for figure in FIGURE_SOURCES if figure_files(experiment, figure)]


TABLE_SUFFIXES = ("csv", "md", "tex", "sources.json", "html")
COMPARED = [study for study, spec in experiment.studies.items() if spec.compare]


def table_files(pattern, study):
    """A table, in every format."""
    return [f"{RESULTS}/{pattern}.{suffix}".format(study=study) for suffix in TABLE_SUFFIXES]


def study_tables(study):
    """The table of a study and, where it compares runs, that of differences."""
    return table_files(TABLE, study) + (table_files(COMPARISON, study) if study in COMPARED else [])


def drawn(figure):
    """A figure, in every format."""
    return [f"{RESULTS}/{FIGURE}.{suffix}".format(figure=figure) for suffix in ("svg", "png")]


def caption(*names):
    """The first caption that there is for a table or figure."""
    here = Path(workflow.current_basedir.get_path_or_uri(secret_free=True))
    return next(file for file in (f"../report/{name}.rst" for name in names) if (here / file).exists())


def table_caption(study):
    """What a study shows, or else how its protocol measures."""
    return caption(f"studies/{study}", "protocol")


def shown_as(key, title):
    """The label of a report's entry; Snakemake takes braces for wildcards and writes < and > into a script as they are."""
    return {key: title.translate(str.maketrans("{}<>", "()‹›"))}


HEALTH_TABLE = [f"{RESULTS}/{HEALTH}.{suffix}" for suffix in ("csv", "md", "tex", "html")]
TABLES = [table for study in experiment.studies for table in study_tables(study)] + HEALTH_TABLE
FIGURES = [file for figure in SHOWN for file in drawn(figure)]
REPORT = f"{RESULTS}/report.html"

for study in experiment.studies:
    *texts, html = table_files(TABLE, study)

    rule:
        name:
            f"table_{study}"
        input:
            metrics=study_metrics(experiment, study),
            published=PUBLISHED,
        output:
            texts,
            report(html, caption=table_caption(study), category="Tables", labels=shown_as("table", experiment.studies[study].title)),
        log:
            f"{RESULTS}/logs/{TABLE}.log".format(study=study),
        localrule: True
        threads: stage_threads("report")
        resources:
            **stage_resources("report"),
        params:
            spec=as_it_is(experiment.table_spec(study).model_dump_json()),
            output=f"{RESULTS}/{TABLE}".format(study=study),
            caption=experiment.protocols[experiment.studies[study].protocol].CAPTION,
        shell:
            f"{MAST} table"
            " --spec {params.spec:q} --published {input.published:q} --output {params.output:q}"
            " {input.metrics:q} > {log:q} 2>&1"


for study in COMPARED:
    *texts, html = table_files(COMPARISON, study)
    spec = experiment.comparison_spec(study)

    rule:
        name:
            f"comparison_{study}"
        input:
            study_metrics(experiment, study, [row.run for row in spec.rows]),
        output:
            texts,
            report(html, caption="../report/comparison.rst", category="Tables", labels=shown_as("table", f"{spec.title}: differences")),
        log:
            f"{RESULTS}/logs/{COMPARISON}.log".format(study=study),
        localrule: True
        threads: stage_threads("report")
        resources:
            **stage_resources("report"),
        params:
            spec=as_it_is(spec.model_dump_json()),
            output=f"{RESULTS}/{COMPARISON}".format(study=study),
        shell:
            f"{MAST} compare"
            " --spec {params.spec:q} --output {params.output:q} {input:q} > {log:q} 2>&1"


rule health_of_runs:
    input:
        [file for files in health_files(experiment).values() for file in files],
    output:
        HEALTH_TABLE[:-1],
        report(HEALTH_TABLE[-1], caption="../report/health.rst", category="Tables", labels={"table": "Health of the runs"}),
    log:
        f"{RESULTS}/logs/health.log",
    localrule: True
    threads: stage_threads("report")
    resources:
        **stage_resources("report"),
    params:
        spec=json.dumps(health_files(experiment)),
        output=f"{RESULTS}/{HEALTH}",
    shell:
        f"{MAST} health"
        " --spec {params.spec:q} --output {params.output:q} > {log:q} 2>&1"


for figure in SHOWN:
    svg, png = drawn(figure)

    rule:
        name:
            f"figure_{figure}"
        input:
            [file for files in figure_files(experiment, figure).values() for file in files],
        output:
            report(svg, caption=caption(figure), category="Figures", labels={"figure": figure}),
            png,
        log:
            f"{RESULTS}/logs/{FIGURE}.log".format(figure=figure),
        localrule: True
        threads: stage_threads("report")
        resources:
            **stage_resources("report"),
        params:
            spec=as_it_is(json.dumps(figure_files(experiment, figure))),
            figure=figure,
            output=f"{RESULTS}/{FIGURE}".format(figure=figure),
        shell:
            f"{MAST} figure"
            " {params.figure} --spec {params.spec:q} --output {params.output:q} > {log:q} 2>&1"


rule make_report:
    input:
        TABLES,
        FIGURES,
    output:
        report=REPORT,
        config=f"{RESULTS}/config.json",
    log:
        f"{RESULTS}/logs/report.log",
    localrule: True
    threads: stage_threads("report")
    resources:
        **stage_resources("report"),
    params:
        config=as_it_is(json.dumps(config)),
        python=sys.executable,
        snakefile=workflow.main_snakefile,
    shell:
        "( printf '%s\n' {params.config:q} > {output.config:q} ;"
        " {params.python:q} -m snakemake --snakefile {params.snakefile:q} --configfile {output.config:q}"
        " --profile none --workflow-profile none --nolock --report {output.report:q} tables figures ) > {log:q} 2>&1"
