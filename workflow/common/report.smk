"""Names of tables and figures, and their entries in the report."""

from mast.results import SOURCES_SUFFIX, suffixed

FORMATS = (".csv", ".md", ".tex", ".html")
COMPARED = [study for study, spec in experiment.studies.items() if spec.compare]


def in_formats(stem, *suffixes):
    """Return the paths of a table or figure, in every format."""
    return [str(suffixed(stem, suffix)) for suffix in suffixes]


def study_tables(study):
    """Return the table of a study and, if it compares runs, the table of differences."""
    stems = [results.table(study)] + [results.comparison(study)] * (study in COMPARED)
    return [file for stem in stems for file in in_formats(stem, *FORMATS, SOURCES_SUFFIX)]


def caption(*names):
    """Return the first existing caption; `caption` shows the rule's param of that name."""
    captions = {f"../report/{name}.rst": workflow.current_basedir.join(f"../report/{name}.rst") for name in names}
    for caption, file in captions.items():
        if workflow.sourcecache.exists(file):  # also if the workflow is read from a repository
            return caption
    looked_for = " or ".join(os.path.normpath(file.get_path_or_uri(secret_free=True)) for file in captions.values())
    raise WorkflowError(f"{looked_for}: no such file; write the caption for the report there")


def shown_as(key, title):
    """Return a label for the report; Snakemake reads braces as wildcards and writes < and > into a script unescaped."""
    return {key: title.translate(str.maketrans("{}<>", "()‹›"))}


def after(file):
    """Return an input of a figure. A manifest's time does not count: detections are made again when the data change."""
    return ancient(file) if Path(file).name == "manifest.json" else file
