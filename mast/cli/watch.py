"""`mast watch`: the trainings of an experiment, live in a terminal."""

import argparse
from pathlib import Path


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("watch", help="show how far the trainings of an experiment are, live")
    parser.add_argument("results", type=Path, metavar="RESULTS_DIR", help="the configuration's `results`")
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="between two looks at the files")
    parser.add_argument("--once", action="store_true", help="show them one time and end")
    parser.set_defaults(execute=_watch)


def _watch(arguments: argparse.Namespace) -> None:
    from mast.watch.screen import watch

    watch(arguments.results, max(0.1, arguments.every), arguments.once)
