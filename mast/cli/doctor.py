"""`mast doctor`: list what a configuration needs and this machine lacks, before a job is submitted."""

import argparse
from pathlib import Path

from mast.config.load import load_experiment


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("doctor", help="list what a configuration needs and this machine does not have")
    parser.add_argument("config", type=Path, metavar="YAML", help="configuration file")
    parser.add_argument("--data-root", metavar="PATH", help="replaces the configuration's `data_root`")
    parser.set_defaults(execute=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from mast.preflight.doctor import findings

    changes = {} if arguments.data_root is None else {"data_root": arguments.data_root}
    found = list(findings(load_experiment(arguments.config, changes)))
    for state, what, line in found:
        print(f"{state:8}{what:10}{line}")
    missing = sum(state == "missing" for state, _, _ in found)
    print(f"{missing} missing" if missing else "nothing is missing")
    return 1 if missing else 0
