"""`mast watch`: show the training runs of an experiment live in a terminal."""

import argparse
from pathlib import Path

from mast.cli.options import positive


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("watch", help="show the progress of an experiment's training runs, live")
    parser.add_argument(
        "place",
        type=Path,
        metavar="CONFIG",
        help="a configuration: show its training runs until all are done; "
        "or a results directory: show the runs begun so far, until Ctrl-C",
    )
    parser.add_argument(
        "--every", type=positive, default=2.0, metavar="SECONDS", help="seconds between two updates (default: 2)"
    )
    parser.add_argument("--once", action="store_true", help="print the table once and exit")
    parser.set_defaults(execute=_watch)


def _watch(arguments: argparse.Namespace) -> None:
    from mast.watch.screen import watch

    root, planned = arguments.place, {}
    if not root.is_dir() and (root.is_file() or root.suffix in (".yaml", ".yml")):
        from mast.config.load import load_experiment
        from mast.config.plan import planned_trainings

        experiment = load_experiment(root)
        root, planned = Path(experiment.results), planned_trainings(experiment)
    watch(root, planned, max(0.1, arguments.every), arguments.once)
