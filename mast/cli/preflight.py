"""`mast preflight`: check all runs and tasks against the prepared data, before anything is trained."""

import argparse
from pathlib import Path

from mast.cli.options import add_config_or_spec, add_paths, experiment
from mast.config import parse_spec
from mast.config.plan import Plan
from mast.runtime import set_up_process


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add the commands of this module."""
    parser = commands.add_parser("preflight", help="check all runs and tasks against the prepared data")
    add_config_or_spec(parser)
    add_paths(parser, data="directory of all prepared data")
    parser.set_defaults(execute=_preflight)


def _preflight(arguments: argparse.Namespace) -> None:
    plan = experiment(arguments).plan() if arguments.spec is None else parse_spec(Plan, arguments.spec)
    data = arguments.data or Path(experiment(arguments).results) / "data"
    set_up_process(1)
    from mast.pretrain.preflight import check_plan

    check_plan(plan, data)
    print(f"{len(plan.runs)} runs and {len(plan.tasks)} tasks: ok")
