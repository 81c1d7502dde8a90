"""`mast analyze`: the numbers behind the figures of masks and uncertainty."""

import argparse

from mast.cli.options import add_config, add_names, add_paths, add_process, experiment, known, path
from mast.paths import DATA, RUN
from mast.results import Results
from mast.runtime import choose_device, set_up_process


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("analyze", help="measure a run's masks and uncertainty")
    add_config(parser)
    add_names(parser, "run", "seed")
    add_paths(
        parser, pretrained="directory that pretrain wrote", data="directory of the prepared data", output="directory"
    )
    add_process(parser)
    parser.set_defaults(execute=_analyze)


def _analyze(arguments: argparse.Namespace) -> None:
    if arguments.config is not None:
        arguments.task = known(experiment(arguments).runs, "run", arguments.run).dataset
    output = str(Results("").analysis("{dataset}", "{run}", "{seed}").directory)
    paths = [path(arguments, "pretrained", RUN), path(arguments, "data", DATA), path(arguments, "output", output)]
    set_up_process(arguments.threads)
    from mast.analysis import analyze

    analyze(*paths, device=choose_device(arguments.gpus))
