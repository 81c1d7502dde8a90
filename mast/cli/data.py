"""`mast prepare`: write a dataset's fixed-size arrays and splits."""

import argparse

from mast.catalogue import union
from mast.cli.options import PLACES, add_config_or_spec, add_names, add_paths, add_process, experiment, known, path
from mast.settings import parse_spec


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("prepare", help="prepare a dataset")
    add_config_or_spec(parser)
    add_names(parser, "dataset", required=True)
    add_paths(parser, output="directory of the prepared data")
    parser.add_argument(
        "--reason",
        default="",
        metavar="TEXT",
        help="why the data are prepared again; stored in the record of their sources",
    )
    add_process(parser, gpus=False)
    parser.set_defaults(execute=_prepare)


def _prepare(arguments: argparse.Namespace) -> None:
    if arguments.spec is None:
        spec = known(experiment(arguments).datasets, "dataset", arguments.dataset)
    else:
        from mast.data.readers import READERS

        spec = parse_spec(union(READERS), arguments.spec)
    output = path(arguments, "output", PLACES.data("{dataset}").directory)
    from mast.data.prepare import prepare

    prepare(arguments.dataset, spec, output, arguments.threads, arguments.reason)
