"""`mast table`, `compare`, `health`, `figure` and `fill`: from metrics, logs and analyses to what a reader sees."""

import argparse
from pathlib import Path

from mast.cli.options import add_config_or_spec, add_names, add_paths, experiment, known, path
from mast.config.figures import FIGURES
from mast.config.plan import figure_files, health_files, study_metrics
from mast.config.tables import ComparisonSpec, TableSpec
from mast.errors import MastError
from mast.results import Results
from mast.settings import parse_spec

PLACES = Results("")
"""Patterns of the outputs, relative to the configuration's `results`."""


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    table = commands.add_parser("table", help="write a table as CSV, Markdown, LaTeX and HTML")
    add_config_or_spec(table)
    add_names(table, "study")
    add_paths(table, output="path of the table without its suffix")
    table.add_argument("--published", type=Path, metavar="YAML", help="default: the configuration's `published`")
    table.add_argument("metrics", type=Path, nargs="*", help="metrics files (default: the study's)")
    table.set_defaults(execute=_table)
    compare = commands.add_parser("compare", help="write a study's differences to its baseline as a table")
    add_config_or_spec(compare)
    add_names(compare, "study")
    add_paths(compare, output="path of the table without its suffix")
    compare.add_argument("metrics", type=Path, nargs="*", help="metrics files (default: the study's)")
    compare.set_defaults(execute=_compare)
    health = commands.add_parser("health", help="write the collapse indicators of all runs as a table")
    add_config_or_spec(health)
    add_paths(health, output="path of the table without its suffix")
    health.set_defaults(execute=_health)
    figure = commands.add_parser("figure", help="draw a figure as SVG and PNG")
    figure.add_argument("figure", choices=FIGURES, metavar="NAME", help=", ".join(FIGURES))
    add_config_or_spec(figure)
    add_paths(figure, output="path of the figure without its suffix")
    figure.set_defaults(execute=_figure)
    fill = commands.add_parser(
        "fill", help="put tables into a Markdown page, between <!-- table: NAME --> and <!-- end -->"
    )
    fill.add_argument("page", type=Path, metavar="PAGE")
    fill.add_argument("--results", type=Path, required=True, metavar="DIR", help="the configuration's `results`")
    fill.set_defaults(execute=_fill)


def _table(arguments: argparse.Namespace) -> None:
    if arguments.spec is None:
        known(experiment(arguments).studies, "study", arguments.study)
        spec = experiment(arguments).table_spec(arguments.study)
    else:
        spec = parse_spec(TableSpec, arguments.spec)
    metrics = arguments.metrics
    if arguments.config is not None and not metrics:
        metrics = [Path(file) for file in study_metrics(experiment(arguments), arguments.study)]
    from mast.reporting.tables.study import write_table

    write_table(spec, metrics, _published(arguments), path(arguments, "output", str(PLACES.table("{study}"))))


def _published(arguments: argparse.Namespace) -> Path:
    if arguments.published is None and arguments.config is None:
        raise MastError("--published: required without --config")
    return arguments.published or Path(experiment(arguments).published)


def _compare(arguments: argparse.Namespace) -> None:
    if arguments.spec is None:
        if known(experiment(arguments).studies, "study", arguments.study).compare is None:
            raise MastError(f"--study: {arguments.study!r} compares no runs; give it the key 'compare'")
        spec = experiment(arguments).comparison_spec(arguments.study)
    else:
        spec = parse_spec(ComparisonSpec, arguments.spec)
    metrics = arguments.metrics
    if arguments.config is not None and not metrics:
        runs = [row.run for row in spec.rows]
        metrics = [Path(file) for file in study_metrics(experiment(arguments), arguments.study, runs)]
    from mast.reporting.tables.comparison import write_comparison

    write_comparison(spec, metrics, path(arguments, "output", str(PLACES.comparison("{study}"))))


def _health(arguments: argparse.Namespace) -> None:
    if arguments.spec is None:
        files = health_files(experiment(arguments))
    else:
        files = parse_spec(dict[str, list[Path]], arguments.spec)
    from mast.reporting.tables.health import write_health

    runs = {run: [Path(file) for file in own] for run, own in files.items()}
    write_health(runs, path(arguments, "output", str(PLACES.health)))


def _figure(arguments: argparse.Namespace) -> None:
    if arguments.spec is None:
        files = figure_files(experiment(arguments), arguments.figure)
    else:
        files = parse_spec(dict[str, list[Path]], arguments.spec)
    from mast.reporting.figures import load

    runs = {label: [Path(file) for file in own] for label, own in files.items()}
    load(arguments.figure)(runs, path(arguments, "output", str(PLACES.figure("{figure}"))))


def _fill(arguments: argparse.Namespace) -> None:
    from mast.reporting.pages import fill_page

    fill_page(arguments.page, arguments.results)
