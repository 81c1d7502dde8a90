"""`mast table`, `compare`, `health`, `figure`, `index`, `fill`: turn metrics, logs and analyses into tables and
figures.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mast.catalogue import module_files
from mast.cli.options import PLACES, add_config_or_spec, add_names, add_paths, experiment, known, path
from mast.config.tables import ComparisonSpec, TableSpec
from mast.errors import MastError
from mast.settings import parse_spec

if TYPE_CHECKING:
    from mast.reporting.current import Planned


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    table = commands.add_parser("table", help="write a table as CSV, Markdown, LaTeX and HTML")
    add_config_or_spec(table)
    add_names(table, "study")
    add_paths(table, output="path of the table without its suffix")
    table.add_argument(
        "--published",
        type=Path,
        metavar="YAML",
        help="file of published values (default: the configuration's `published`; none without --config)",
    )
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
    names = list(module_files("mast.reporting.figures"))
    figure = commands.add_parser("figure", help="draw a figure as SVG and PNG")
    figure.add_argument("figure", choices=names, metavar="NAME", help=f"one of {', '.join(names)}")
    add_config_or_spec(figure)
    add_paths(figure, output="path of the figure without its suffix")
    figure.set_defaults(execute=_figure)
    index = commands.add_parser("index", help="write the page with all tables and figures")
    add_config_or_spec(index)
    add_paths(index, output="path of the page, in the directory of the results")
    index.set_defaults(execute=_index)
    fill = commands.add_parser(
        "fill", help="fill the tables of a Markdown page, between `<!-- table: NAME -->` and `<!-- end -->`"
    )
    fill.add_argument("page", type=Path, metavar="PAGE", help="Markdown file; it is changed in place")
    fill.add_argument(
        "--results",
        type=Path,
        required=True,
        metavar="DIR",
        help="results directory (the configuration's `results`); for `<!-- table: PART/NAME -->` the parent of several",
    )
    fill.add_argument("--keep-missing", action="store_true", help="keep the old text of tables that do not exist yet")
    fill.set_defaults(execute=_fill)


def _table(arguments: argparse.Namespace) -> None:
    if arguments.spec is None:
        known(experiment(arguments).studies, "study", arguments.study)
        spec = experiment(arguments).table_spec(arguments.study)
    else:
        spec = parse_spec(TableSpec, arguments.spec)
    from mast.reporting.tables.study import write_table

    output = path(arguments, "output", PLACES.table("{study}"))
    write_table(spec, _metrics(arguments, spec), _published(arguments), output, _planned(arguments))


def _compare(arguments: argparse.Namespace) -> None:
    if arguments.spec is None:
        if known(experiment(arguments).studies, "study", arguments.study).compare is None:
            raise MastError(f"--study: {arguments.study!r} compares no runs; give it the key 'compare'")
        spec = experiment(arguments).comparison_spec(arguments.study)
    else:
        spec = parse_spec(ComparisonSpec, arguments.spec)
    from mast.reporting.tables.comparison import write_comparison

    output = path(arguments, "output", PLACES.comparison("{study}"))
    write_comparison(spec, _metrics(arguments, spec), output, _planned(arguments))


def _planned(arguments: argparse.Namespace) -> "Planned | None":
    """Return what the configuration makes the metrics with; None without one: the workflow keeps them up to date."""
    if arguments.config is None:
        return None
    from mast.reporting.current import Planned

    return Planned.of(experiment(arguments), arguments.study, arguments.config)


def _metrics(arguments: argparse.Namespace, spec: TableSpec) -> list[Path]:
    """Return the metrics files that are given, or those of the study."""
    if arguments.config is None or arguments.metrics:
        return arguments.metrics
    from mast.config.plan import study_metrics

    runs = [row.run for row in spec.rows]
    return [Path(file) for file in study_metrics(experiment(arguments), arguments.study, runs)]


def _published(arguments: argparse.Namespace) -> Path | None:
    if arguments.published is not None or arguments.config is None:
        return arguments.published
    from mast.config.published import published_file

    return published_file(experiment(arguments).published)


def _health(arguments: argparse.Namespace) -> None:
    from mast.reporting.tables.health import write_health

    write_health(_files(arguments, "health_files"), path(arguments, "output", PLACES.health))


def _figure(arguments: argparse.Namespace) -> None:
    from mast.reporting.figures import load

    draw, files = load(arguments.figure), _files(arguments, "figure_files", arguments.figure)
    for label, own in files.items():
        if not own:
            raise MastError(f"--spec: {label!r} has no files; name one or more")
    draw(files, path(arguments, "output", PLACES.figure("{figure}")))


def _files(arguments: argparse.Namespace, planned: str, *names: str) -> dict[str, list[Path]]:
    """Return label → files, as given or as a function of mast.config.plan lists them for the configuration."""
    if arguments.spec is not None:
        return parse_spec(dict[str, list[Path]], arguments.spec)
    from mast.config import plan
    from mast.reporting.current import require_current_detections, require_current_runs

    files = getattr(plan, planned)(experiment(arguments), *names)
    found = {label: [Path(file) for file in own] for label, own in files.items()}
    for check in (require_current_runs, require_current_detections):
        check(experiment(arguments), [file for own in found.values() for file in own], arguments.config)
    return found


def _index(arguments: argparse.Namespace) -> None:
    from mast.config.index import IndexSpec, index_spec
    from mast.reporting.index import write_index

    given = arguments.spec is not None
    spec = parse_spec(IndexSpec, arguments.spec) if given else index_spec(experiment(arguments))
    write_index(spec, path(arguments, "output", PLACES.index))


def _fill(arguments: argparse.Namespace) -> None:
    from mast.reporting.pages import fill_page

    fill_page(arguments.page, arguments.results, arguments.keep_missing)
