"""What a user may ask for by name; every study is a target too."""

TARGETS = {
    "data": expand(f"{RESULTS}/{MANIFEST}", task=experiment.datasets),
    "pretrain": of_runs(experiment, ENCODER, experiment.runs),
    "evaluate": metrics_of("linear-lbfgs", "knn"),
    "detection": metrics_of("detection"),
    "tables": TABLES,
    "figures": FIGURES,
    "report": [REPORT],
}
for study in experiment.studies:
    TARGETS[study] = TARGETS.get(study, []) + study_tables(study)


rule all:
    default_target: True
    input:
        TABLES,
        FIGURES,
        REPORT,


for target, files in TARGETS.items():

    rule:
        name:
            target
        input:
            files,
