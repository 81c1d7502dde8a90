"""`mast analyze`: compute the numbers behind the figures of masks and uncertainty."""

import argparse

from mast.cli.options import OF_RUN, PLACES, add_config, add_names, add_paths, add_process, path
from mast.runtime import choose_device


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("analyze", help="measure a run's masks and uncertainty")
    add_config(parser)
    add_names(parser, "run", "seed")
    add_paths(
        parser,
        pretrained="directory that pretrain wrote",
        data="directory of the prepared data",
        output="directory of the analysis",
    )
    add_process(parser)
    parser.set_defaults(execute=_analyze)


def _analyze(arguments: argparse.Namespace) -> None:
    pretrained = path(arguments, "pretrained", PLACES.run(*OF_RUN).directory)
    data = path(arguments, "data", PLACES.data("{dataset}").directory)
    output = path(arguments, "output", PLACES.analysis(*OF_RUN).directory)
    from mast.analysis.run import analyze

    analyze(pretrained, data, output, device=choose_device(arguments.gpus))
