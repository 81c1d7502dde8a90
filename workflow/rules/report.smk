import sys

import yaml

PUBLISHED = "config/published.yaml"
TABLE_FORMATS = ("csv", "md", "tex", "html")
FIGURES = []


def study_tables(study):
    """The table of a study, in every format."""
    return [f"{RESULTS}/{TABLE}.{suffix}".format(study=study) for suffix in TABLE_FORMATS]


TABLES = [table for study in experiment.studies for table in study_tables(study)]


rule make_table:
    input:
        metrics=lambda wildcards: study_metrics(experiment, wildcards.study),
        published=PUBLISHED,
    output:
        f"{RESULTS}/{TABLE}.csv",
        f"{RESULTS}/{TABLE}.md",
        f"{RESULTS}/{TABLE}.tex",
        report(
            f"{RESULTS}/{TABLE}.html",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{study}"},
        ),
    log:
        f"{RESULTS}/logs/{TABLE}.log",
    threads: stage_threads("report")
    resources:
        **stage_resources("report"),
    params:
        spec=lambda wildcards: experiment.table_spec(wildcards.study).model_dump_json(),
        stem=subpath(output[0], strip_suffix=".csv"),
    shell:
        "mast table --spec {params.spec:q} --published {input.published:q} --output {params.stem:q} {input.metrics:q}"
        " > {log:q} 2>&1"
